// Lab 05: packets out of a stream, what they do, and positions as packets; then the game as a whole.
#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include "bots.h"
#include "child_process.h"
#include "game_handler.h"
#include "game_server.h"
#include "interrupted.h"
#include "net.h"
#include "operation_ledger.h"
#include "reassembly.h"
#include "seam.h"
#include "story.h"
#include "world.h"

#ifndef _WIN32
#include <sys/mman.h>
#endif

using namespace test;
using lab::Direction;
using lab::ProtocolError;

namespace {

const char* const kStep1 = "lab05_reassembly/README.md#step-1";
const char* const kStep2 = "lab05_reassembly/README.md#step-2";
const char* const kStep3 = "lab05_reassembly/README.md#step-3";
const char* const kWorld = "lab05_reassembly/README.md#step-2";
const char* const kProgram = "lab05_reassembly/README.md#what-failing-tests-mean";

using Bytes = std::vector<unsigned char>;

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string hex(const Bytes& bytes) {
  static const char* const digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    if (text.size() >= 60) return text + " ... (" + std::to_string(bytes.size()) + " bytes)";
    if (!text.empty()) text += ' ';
    text += {digits[byte >> 4], digits[byte & 15]};
  }
  return text.empty() ? "no bytes" : text;
}

std::string name_of(ProtocolError error) { return std::string("\"") + lab::describe(error) + "\""; }

void check_error(const std::string& what, ProtocolError actual, ProtocolError expected) {
  if (actual != expected) fail("expected " + what + " to be " + name_of(expected) + ", but it was " + name_of(actual));
}

void check_bytes(const std::string& what, const Bytes& actual, const Bytes& expected) {
  if (actual != expected) fail("expected " + what + " to be " + hex(expected) + ", but it was " + hex(actual));
}

// --- memory with a hard end ---

// A copy of some bytes. Right behind it begins memory that nobody may touch: a read beyond the bytes is a crash, without a
// sanitizer, too. For one thread at a time.
class AtTheEdge {
 public:
  AtTheEdge(const void* bytes, std::size_t size) : size_(size) {
    if (size > kRoom) fail("the test has room for " + to_text(kRoom) + " bytes only");
    if (spare().empty()) spare().push_back(reserve());
    room_ = spare().back();
    spare().pop_back();
    if (size > 0) std::memcpy(data(), bytes, size);
  }
  explicit AtTheEdge(const Bytes& bytes) : AtTheEdge(bytes.data(), bytes.size()) {}
  ~AtTheEdge() { spare().push_back(room_); }
  AtTheEdge(const AtTheEdge&) = delete;
  AtTheEdge& operator=(const AtTheEdge&) = delete;

  unsigned char* data() { return room_ + (kRoom - size_); }
  std::span<const unsigned char> bytes() { return {data(), size_}; }

 private:
  static constexpr std::size_t kRoom = 128 * 1024;  // whole pages, on every machine

  // Kept to the end of the process: to ask the system each time would take too long.
  static std::vector<unsigned char*>& spare() {
    static std::vector<unsigned char*> all;
    return all;
  }
  static unsigned char* reserve() {
#ifdef _WIN32
    void* const begin = ::VirtualAlloc(nullptr, 2 * kRoom, MEM_RESERVE, PAGE_NOACCESS);
    const bool good = begin != nullptr && ::VirtualAlloc(begin, kRoom, MEM_COMMIT, PAGE_READWRITE) != nullptr;
#else
    void* const begin = ::mmap(nullptr, 2 * kRoom, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool good = begin != MAP_FAILED && ::mprotect(begin, kRoom, PROT_READ | PROT_WRITE) == 0;
#endif
    check("the system gives memory to the test", good);
    return static_cast<unsigned char*>(begin);
  }

  std::size_t size_;
  unsigned char* room_ = nullptr;
};

// --- streams of packets ---

// A packet of this size; what is behind its length byte differs from one `seed` to the next.
Bytes packet_of(std::size_t size, unsigned seed = 1) {
  const std::string filling = pattern(size, seed);
  Bytes packet(filling.begin(), filling.end());
  packet[0] = static_cast<unsigned char>(size);
  return packet;
}

std::vector<Bytes> packets_of(const std::vector<std::size_t>& sizes) {
  std::vector<Bytes> packets;
  for (const std::size_t size : sizes) packets.push_back(packet_of(size, static_cast<unsigned>(packets.size()) + 1));
  return packets;
}

Bytes joined(const std::vector<Bytes>& packets) {
  Bytes stream;
  for (const Bytes& packet : packets) stream = stream + packet;
  return stream;
}

// How many bytes of a cut packet there are at the end of the first `size` bytes of a stream of good packets.
std::size_t waiting_after(const Bytes& stream, std::size_t size) {
  std::size_t begin = 0;
  while (begin < size && begin + stream[begin] <= size) begin += stream[begin];
  return size - begin;
}

// Keeps what it gets. Stops the reassembly at one packet, if that is wanted.
struct Collect : lab::PacketSink {
  ProtocolError on_packet(std::span<const unsigned char> packet) override {
    packets.emplace_back(packet.begin(), packet.end());
    places.push_back(packet.data());
    return packets.size() == stop_at ? stop_with : ProtocolError::none;
  }
  std::vector<Bytes> packets;
  std::vector<const unsigned char*> places;
  std::size_t stop_at = 0;  // the how manieth packet; 0: none
  ProtocolError stop_with = ProtocolError::none;
};

void check_packets(const std::string& when, const Collect& sink, const std::vector<Bytes>& expected) {
  for (std::size_t i = 0; i < std::min(expected.size(), sink.packets.size()); ++i) {
    check_bytes(when + ", packet " + std::to_string(i + 1), sink.packets[i], expected[i]);
  }
  check_equal(when + ", the number of packets that came out", sink.packets.size(), expected.size());
}

// One receive: the piece alone in memory that ends with it.
ProtocolError feed(lab::Reassembler& reassembler, lab::PacketSink& sink, const Bytes& stream, std::size_t begin,
                   std::size_t end) {
  AtTheEdge piece(stream.data() + begin, end - begin);
  const ProtocolError error = reassembler.feed(piece.bytes(), sink);
  check("the bytes that came in are as they were: feed only reads them",
        std::equal(piece.bytes().begin(), piece.bytes().end(), stream.begin() + static_cast<std::ptrdiff_t>(begin)));
  return error;
}

// Feeds a stream of good packets, cut at these places, and looks at all that can be seen.
void check_cut(const std::string& when, const std::vector<Bytes>& packets, const Bytes& stream,
               const std::vector<std::size_t>& cuts) {
  lab::Reassembler reassembler;
  Collect sink;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : stream.size();
    check_error(when + ", what feed returns", feed(reassembler, sink, stream, begin, end), ProtocolError::none);
    check_equal(when + ", waiting() after " + std::to_string(end) + " bytes", reassembler.waiting(),
                waiting_after(stream, end));
    begin = end;
  }
  check_packets(when, sink, packets);
}

// --- the game without a program ---

// A world with real connections, whose completions are handled by hand: so a round is what the test says it is.
struct Arena {
  explicit Arena(std::size_t max_players, int view = 255) : world(max_players, view), handler(world) {}
  ~Arena() {
    for (const auto& player : players) player->close();
    try {
      complete();
    } catch (...) {  // it has been told already
    }
  }

  struct Seat {
    TestClient client;
    std::shared_ptr<lab::Player> player;
  };
  Seat connect() {
    TestClient client(listener.port);
    auto player = std::make_shared<lab::Player>();
    player->socket = listener.accept();
    check("the client comes into the table", clients.insert(player));
    check("its socket is tied to the port", lab::associate(port.get(), *player));
    players.push_back(player);
    return {std::move(client), player};
  }

  // As if these bytes had come from the client in one receive.
  bool receive(const Seat& seat, const Bytes& bytes) {
    return handler.on_recv(server, seat.player, reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  // Handles completions until no send is on its way.
  void complete() {
    const auto deadline = Clock::now() + patience();
    while (operations.in_use() > 0) {
      DWORD bytes = 0;
      ULONG_PTR key = 0;
      OVERLAPPED* overlapped = nullptr;
      const BOOL ok = ::GetQueuedCompletionStatus(port.get(), &bytes, &key, &overlapped, 50);
      if (overlapped != nullptr) lab::handle_completion(server, lab::operation_from(overlapped), ok, bytes);
      if (Clock::now() > deadline) fail("expected that each send completes, but one did not");
    }
  }

  Listener listener;
  lab::UniqueHandle port = lab::create_port(1);
  lab::ClientTable clients{1000};
  lab::HeapOperations operations;
  lab::World world;
  lab::GameHandler handler;
  lab::Server server{port.get(), clients, operations, handler};
  std::vector<std::shared_ptr<lab::Player>> players;
};

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

Bytes login_packet(const Bytes& name) {
  return Bytes{static_cast<unsigned char>(2 + name.size()), lab::CS_LOGIN} + name;
}
Bytes login_packet(const std::string& name) { return login_packet(bytes_of(name)); }
Bytes move_packet(Direction direction) { return {3, lab::CS_MOVE, static_cast<unsigned char>(direction)}; }
Bytes repeated(const Bytes& packet, std::size_t times) {
  Bytes all;
  for (std::size_t i = 0; i < times; ++i) all = all + packet;
  return all;
}

struct PlayerAt {
  unsigned id = 0;
  int x = 0;
  int y = 0;
  Bytes wire() const {
    return {static_cast<unsigned char>(id & 0xFF), static_cast<unsigned char>(id >> 8), static_cast<unsigned char>(x),
            static_cast<unsigned char>(y)};
  }
};
PlayerAt place_at(const Bytes& packet, std::size_t at) {
  return {packet[at] | static_cast<unsigned>(packet[at + 1]) << 8, packet[at + 2], packet[at + 3]};
}
Bytes enter_packet(const PlayerAt& place, const std::string& name) {
  return Bytes{static_cast<unsigned char>(6 + name.size()), lab::SC_ENTER} + place.wire() + bytes_of(name);
}
Bytes position_packet(const PlayerAt& place) { return Bytes{6, lab::SC_POSITION} + place.wire(); }
Bytes leave_packet(unsigned id) {
  return {4, lab::SC_LEAVE, static_cast<unsigned char>(id & 0xFF), static_cast<unsigned char>(id >> 8)};
}

// A direction with room, so that a step leads somewhere; and where it leads.
std::pair<Direction, PlayerAt> step_from(PlayerAt place) {
  if (place.x < 200) return {Direction::right, {place.id, place.x + 1, place.y}};
  return {Direction::left, {place.id, place.x - 1, place.y}};
}

// What the server has told this client: just these bytes, and no more.
void check_told(const std::string& who, TestClient& client, const Bytes& expected) {
  const Bytes actual = bytes_of(client.receive(expected.size()));
  check_bytes("what " + who + " is told", actual, expected);
  if (client.look() == End::bytes) fail("expected that " + who + " is told no more, but there are more bytes");
}

Bytes next_packet(TestClient& client) {
  const std::string length = client.receive(1);
  const auto size = static_cast<unsigned char>(length[0]);
  if (size < 2 || size > lab::kMaxPacketSize)
    fail("expected a packet from the server, but its length is " + to_text(size));
  return bytes_of(length + client.receive(size - 1));
}

PlayerAt check_login_ok(TestClient& client) {
  const Bytes packet = next_packet(client);
  if (packet.size() != 6 || packet[1] != lab::SC_LOGIN_OK) {
    fail("expected that the log-in is answered by SC_LOGIN_OK, but it was " + hex(packet));
  }
  return place_at(packet, 2);
}

void send(TestClient& client, const Bytes& bytes) { client.send(std::string(bytes.begin(), bytes.end())); }

// Logs in, and forgets about the others who are there.
PlayerAt log_in(TestClient& client, const std::string& name) {
  send(client, login_packet(name));
  return check_login_ok(client);
}

// Reads packets until this player stands there. Returns how many positions of this player came.
std::size_t read_until(const std::string& who, TestClient& client, const PlayerAt& goal) {
  std::size_t count = 0;
  PlayerAt last = goal;
  for (;;) {
    const Bytes packet = next_packet(client);
    if (packet[1] != lab::SC_POSITION && packet[1] != lab::SC_POSITIONS) continue;
    for (std::size_t at = 2; at < packet.size(); at += 4) {
      last = place_at(packet, at);
      if (last.id != goal.id) continue;
      ++count;
      if (last.x == goal.x && last.y == goal.y) return count;
    }
    if (count > 1000) fail("expected that " + who + " sees player " + to_text(goal.id) + " come to its place");
  }
}

// Makes one step and waits for the answer. By then the server has handled what others sent before, too, unless its
// workers are very far apart; a right server does not mind either way.
void step_and_wait(TestClient& client, PlayerAt& place) {
  const auto [direction, next] = step_from(place);
  send(client, move_packet(direction));
  read_until("the witness", client, next);
  place = next;
}

void play_bots(bots::Options options) {
  options.patience = std::chrono::duration_cast<std::chrono::milliseconds>(patience());
  const bots::Report report = bots::run(options);
  if (report.outcome != bots::Outcome::ok) fail("expected that each bot is told what is true, but " + report.failure);
}

}  // namespace

// --- TODO 1: reassembly ---

LAB_TEST(Lab05, CutAnywhere, "N16", kStep1) {
  const auto long_ones = packets_of({2, 3, 22, 250, 7, 128, 2, 250});
  const Bytes long_stream = joined(long_ones);
  STEP("a stream of 8 packets comes in two pieces, cut at each of its " + to_text(long_stream.size() - 1) + " borders");
  for (std::size_t cut = 0; cut <= long_stream.size(); ++cut) {
    check_cut("cut after byte " + to_text(cut), long_ones, long_stream, {cut});
  }
  const auto short_ones = packets_of({3, 2, 9, 4, 2, 17, 3});
  const Bytes short_stream = joined(short_ones);
  STEP("a stream of 7 packets comes in three pieces, cut at each pair of borders");
  for (std::size_t a = 0; a <= short_stream.size(); ++a) {
    for (std::size_t b = a; b <= short_stream.size(); ++b) {
      check_cut("cut after bytes " + to_text(a) + " and " + to_text(b), short_ones, short_stream, {a, b});
    }
  }
}

LAB_TEST(Lab05, ByteByByteAndAllAtOnce, "N16", kStep1) {
  const auto packets = packets_of({3, 2, 250, 5, 249, 22, 2, 2, 3});
  const Bytes stream = joined(packets);
  STEP("9 packets come in one piece");
  check_cut("all at once", packets, stream, {});
  STEP("they come byte by byte");
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < stream.size(); ++i) cuts.push_back(i);
  check_cut("byte by byte", packets, stream, cuts);
  STEP("300 small packets come in one piece, as large as a receive can be");
  std::vector<Bytes> many;
  for (unsigned i = 0; i < 300; ++i) many.push_back(packet_of(2 + i % 20, i));
  many.push_back(packet_of(lab::kBufferSize - joined(many).size() % 200 > 250 ? 250 : 100));
  check_cut("all at once", many, joined(many), {});
  STEP("a piece that is larger than 16 bits can count");
  std::vector<Bytes> thousands;
  for (unsigned i = 0; i < 7000; ++i) thousands.push_back(packet_of(2 + i % 20, i));
  check_cut("a large piece", thousands, joined(thousands), {});
  for (const std::size_t size : {2, 3}) {
    const std::size_t count = lab::kBufferSize / size;
    STEP("a full receive: " + to_text(count) + " packets of " + to_text(size) + " bytes, and what is left of one more");
    std::vector<Bytes> full;
    for (std::size_t i = 0; i <= count; ++i) full.push_back(packet_of(size, static_cast<unsigned>(i)));
    check_cut("a full receive", full, joined(full), {lab::kBufferSize});
    check_cut("a full receive that begins with a back", full, joined(full), {1, lab::kBufferSize + 1});
  }
}

LAB_TEST(Lab05, EveryLengthIsAPacket, "N20", kStep1) {
  STEP("packets of every length from 2 to 250, whole and cut at every place, another one behind");
  for (std::size_t length = lab::kHeaderSize; length <= lab::kMaxPacketSize; ++length) {
    const std::vector<Bytes> packets = {packet_of(length, 3), packet_of(4, 5)};
    const Bytes stream = joined(packets);
    const std::string when = "length " + to_text(length);
    check_cut(when, packets, stream, {});
    for (std::size_t cut = 1; cut <= length; ++cut)
      check_cut(when + ", cut after " + to_text(cut), packets, stream, {cut});
  }
}

LAB_TEST(Lab05, RandomStreams, "N16", kStep1) {
  STEP("400 random streams in random pieces");
  for (unsigned seed = 1; seed <= 400; ++seed) {
    std::minstd_rand random(seed);
    std::vector<std::size_t> sizes(1 + random() % 30);
    for (std::size_t& size : sizes) size = 2 + random() % (random() % 2 == 0 ? 8 : 249);
    const auto packets = packets_of(sizes);
    const Bytes stream = joined(packets);
    std::vector<std::size_t> cuts;
    const std::size_t largest = 1 + random() % 300;
    for (std::size_t at = random() % largest; at < stream.size(); at += random() % (largest + 1)) cuts.push_back(at);
    check_cut("seed " + to_text(seed), packets, stream, cuts);
  }
}

LAB_TEST(Lab05, BadLengthEndsAtOnce, "N20", kStep1) {
  for (const unsigned bad : {0u, 1u, 251u, 252u, 253u, 254u, 255u}) {
    const ProtocolError error = bad < 2 ? ProtocolError::length_below_header : ProtocolError::length_above_maximum;
    const Bytes length = {static_cast<unsigned char>(bad)};
    const auto good = packets_of({3, 22, 2});
    const std::string when = "with the length " + to_text(bad);
    const auto expect = [&](const std::string& what, const Bytes& stream, std::vector<std::size_t> cuts,
                            const std::vector<Bytes>& packets) {
      STEP("the length " + to_text(bad) + " comes " + what);
      lab::Reassembler reassembler;
      Collect sink;
      cuts.push_back(stream.size());
      std::size_t begin = 0;
      for (const std::size_t end : cuts) {
        ProtocolError got = ProtocolError::none;
        Background feeding("feed, " + when + ",", [&] { got = feed(reassembler, sink, stream, begin, end); });
        feeding.finish();  // bounded: a length of 0 makes some loops endless
        check_error(when + " in piece " + to_text(end), got, end == stream.size() ? error : ProtocolError::none);
        begin = end;
      }
      check_packets(when, sink, packets);
    };
    const Bytes before = joined(good);
    expect("alone, as the first byte", length, {}, {});
    expect("first, with 300 bytes behind it", length + Bytes(300, 2), {}, {});
    expect("right behind three good packets", before + length, {}, good);
    expect("behind three good packets, with more behind it", before + length + before, {}, good);
    expect("in a receive of its own", before + length, {before.size()}, good);
    expect("behind the back of a cut packet", before + length, {before.size() - 10}, good);
    expect("behind the last byte of a cut packet", before + length + Bytes(40, 3), {before.size() - 1}, good);
  }
  STEP("each receive comes in the same buffer; good packets, then a bad length");
  for (const unsigned bad : {0u, 1u, 251u, 255u}) {
    lab::Reassembler reassembler;
    Collect sink;
    Background feeding("feed, with a bad length in the same buffer,", [&] {
      Bytes buffer = packet_of(5);
      for (int i = 0; i < 6; ++i) check_error("what feed returns", reassembler.feed(buffer, sink), ProtocolError::none);
      buffer[0] = static_cast<unsigned char>(bad);
      check_error("what feed returns, with the length " + to_text(bad), reassembler.feed(buffer, sink),
                  bad < 2 ? ProtocolError::length_below_header : ProtocolError::length_above_maximum);
    });
    feeding.finish();
    check_equal("the number of packets that came out", sink.packets.size(), 6u);
  }
}

LAB_TEST(Lab05, SinkErrorStops, "N15", kStep1) {
  const auto packets = packets_of({3, 5, 2, 22, 4});
  const Bytes stream = joined(packets);
  STEP("the sink refuses one of five packets, for each reason there is");
  for (const ProtocolError error :
       {ProtocolError::length_below_header, ProtocolError::length_above_maximum, ProtocolError::unknown_type,
        ProtocolError::wrong_size, ProtocolError::bad_name, ProtocolError::bad_direction, ProtocolError::not_logged_in,
        ProtocolError::already_logged_in, ProtocolError::world_is_full}) {
    for (std::size_t stop_at = 1; stop_at <= packets.size(); ++stop_at) {
      for (const std::size_t cut : {0, 1, 2, 4, 6, 8, 9, 12, 15, 31, 33}) {
        lab::Reassembler reassembler;
        Collect sink;
        sink.stop_at = stop_at;
        sink.stop_with = error;
        ProtocolError got = feed(reassembler, sink, stream, 0, cut);
        if (got == ProtocolError::none) got = feed(reassembler, sink, stream, cut, stream.size());
        const std::string when =
            "when the sink refuses packet " + to_text(stop_at) + " (cut after byte " + to_text(cut) + ")";
        check_error(when + ", what feed returns", got, error);
        check_equal(when + ", the number of packets that came out", sink.packets.size(), stop_at);
      }
    }
  }
  STEP("right behind the refused packet comes a bad length; the sink was first");
  for (const unsigned char bad : {0, 1, 251, 255}) {
    for (const std::size_t cut : {0, 1, 4}) {
      const Bytes refused = packet_of(5) + Bytes{bad, 1, 1};
      lab::Reassembler reassembler;
      Collect sink;
      sink.stop_at = 1;
      sink.stop_with = ProtocolError::bad_name;
      feed(reassembler, sink, refused, 0, cut);
      check_error("what feed returns, with the length " + to_text(static_cast<unsigned>(bad)) + " behind",
                  feed(reassembler, sink, refused, cut, refused.size()), ProtocolError::bad_name);
    }
  }
}

LAB_TEST(Lab05, ClientsShareNothing, "N21", kStep1) {
  STEP("three clients' streams come byte by byte, in turn");
  lab::Reassembler reassemblers[3];
  Collect sinks[3];
  const std::vector<Bytes> packets[3] = {packets_of({5, 9, 250}), packets_of({250, 3, 30}), packets_of({2, 2, 200, 7})};
  const Bytes streams[3] = {joined(packets[0]), joined(packets[1]), joined(packets[2])};
  for (std::size_t at = 0; at < 300; ++at) {
    for (int i = 0; i < 3; ++i) {
      if (at >= streams[i].size()) continue;
      feed(reassemblers[i], sinks[i], streams[i], at, at + 1);
      check_equal("what waits of client " + to_text(i), reassemblers[i].waiting(), waiting_after(streams[i], at + 1));
    }
  }
  for (int i = 0; i < 3; ++i) check_packets("client " + to_text(i), sinks[i], packets[i]);
  STEP("a fourth client comes while the third one's packet is cut");
  feed(reassemblers[2], sinks[2], Bytes{9, 9, 9}, 0, 3);
  lab::Reassembler fresh;
  Collect sink;
  check_equal("what waits of a new client", fresh.waiting(), 0);
  check_error("its first packet", feed(fresh, sink, streams[0], 0, streams[0].size()), ProtocolError::none);
  check_packets("the new client", sink, packets[0]);
  STEP("a packet of one client is with the sink; meanwhile 500 other clients are fed on another thread");
  struct Lasting : Collect {
    ProtocolError on_packet(std::span<const unsigned char> packet) override {
      others = std::make_unique<Background>("feed for other clients", [] {
        std::vector<lab::Reassembler> crowd(500);
        for (lab::Reassembler& one : crowd) {
          Collect one_sink;
          one.feed(packet_of(9, 2), one_sink);
        }
      });
      ended = eventually([this] { return others->finished(); });
      return Collect::on_packet(packet);
    }
    std::unique_ptr<Background> others;
    bool ended = false;
  } lasting;
  lab::Reassembler lasts;
  lasts.feed(packet_of(9, 1), lasting);
  lasting.others->finish();
  check("feed of no client waits for the sink of another one", lasting.ended);
  STEP("a cut packet of one client is with the sink; meanwhile another thread puts one of a second client together");
  struct Slow : Collect {
    ProtocolError on_packet(std::span<const unsigned char> packet) override {
      std::thread other([] {
        lab::Reassembler second;
        Collect second_sink;
        const Bytes more = packet_of(9, 2);
        feed(second, second_sink, more, 0, 5);
        feed(second, second_sink, more, 5, more.size());
      });
      other.join();
      return Collect::on_packet(packet);
    }
  } slow;
  lab::Reassembler first;
  const Bytes cut = packet_of(9, 1);
  feed(first, slow, cut, 0, 5);
  feed(first, slow, cut, 5, cut.size());
  check_packets("the first client", slow, {cut});
  STEP("each piece of a client's stream comes on another thread");
  for (const std::size_t largest : {1u, 4u, 100u}) {
    lab::Reassembler wanders;
    Collect wanders_sink;
    for (std::size_t begin = 0; begin < streams[0].size(); begin += largest) {
      std::thread other([&] {
        feed(wanders, wanders_sink, streams[0], begin, std::min(begin + largest, streams[0].size()));
      });
      other.join();
    }
    check_packets("the client", wanders_sink, packets[0]);
  }
  STEP("a cut packet of one client is with the sink, which feeds a second client's Reassembler");
  struct Nested : Collect {
    ProtocolError on_packet(std::span<const unsigned char> packet) override {
      const Bytes more = packet_of(packet.size(), 2);
      feed(second, second_sink, more, 0, 5);
      feed(second, second_sink, more, 5, more.size());
      return Collect::on_packet(packet);
    }
    lab::Reassembler second;
    Collect second_sink;
  } nested;
  lab::Reassembler outer;
  for (unsigned i = 0; i < 3; ++i) {
    const Bytes packet = packet_of(30 + i, 10 + i);
    feed(outer, nested, packet, 0, 7);
    feed(outer, nested, packet, 7, packet.size());
  }
  check_packets("the first client", nested, {packet_of(30, 10), packet_of(31, 11), packet_of(32, 12)});
  check_packets("the second client", nested.second_sink, {packet_of(30, 2), packet_of(31, 2), packet_of(32, 2)});
  STEP("a client comes in memory that has been in use");
  alignas(lab::Reassembler) unsigned char memory[sizeof(lab::Reassembler)];
  for (const unsigned char used : {0xFF, 0, 3, 200}) {
    for (volatile unsigned char& byte : memory) byte = used;  // volatile: the compiler would leave it out
    auto* const late = new (memory) lab::Reassembler;
    Collect late_sink;
    for (std::size_t at = 0; at < streams[0].size(); ++at) feed(*late, late_sink, streams[0], at, at + 1);
    check_packets("the client", late_sink, packets[0]);
    feed(*late, late_sink, Bytes{9, 9, 9}, 0, 3);  // it goes while a front waits
    late->~Reassembler();
  }
  STEP("a thread stands still in feed, and another one calls feed for a second client");
  struct Unseen : Collect {
    ProtocolError on_packet(std::span<const unsigned char> packet) override {
      const Unwatched mine;
      return Collect::on_packet(packet);
    }
  };
  struct Side {
    std::vector<Bytes> packets;
    Bytes stream = joined(packets);
    std::unique_ptr<lab::Reassembler> reassembler{};
    std::unique_ptr<Unseen> sink{};
    void begin() {
      reassembler = std::make_unique<lab::Reassembler>();
      sink = std::make_unique<Unseen>();
      reassembler->feed(std::span(stream).first(3), *sink);
    }
    void go_on() { reassembler->feed(std::span(stream).subspan(3, stream.size() - 5), *sink); }  // 2 bytes are not here yet
    void end() {
      reassembler->feed(std::span(stream).last(2), *sink);
      check_packets("a client", *sink, packets);
    }
  };
  Side one{{packet_of(5, 1), packet_of(3, 2), packet_of(6, 3)}};
  Side other{{packet_of(7, 4), packet_of(2, 5), packet_of(9, 6), packet_of(4, 7)}};
  at_each_instruction({"feed", "feed for another client", [&] { one.begin(), other.begin(); }, [&] { one.go_on(); },
                       [&] { other.go_on(); }, [&] { one.end(), other.end(); }});
}

LAB_TEST(Lab05, WholePacketsAreNotCopied, "N21", kStep1) {
  STEP("the back of a cut packet comes, then three whole packets, then the front of one");
  const auto packets = packets_of({10, 3, 250, 4});
  const Bytes stream = joined(packets) + Bytes{20, 1, 2};
  lab::Reassembler reassembler;
  Collect sink;
  feed(reassembler, sink, stream, 0, 6);
  check_error("what feed returns", reassembler.feed(std::span(stream).subspan(6), sink), ProtocolError::none);
  check_packets("", sink, packets);
  std::size_t offset = 10;
  for (std::size_t i = 1; i < 4; ++i) {
    check("packet " + to_text(i + 1) + " reaches the sink from the bytes that came in, without a copy",
          sink.places[i] == stream.data() + offset);
    offset += packets[i].size();
  }
  check_equal("waiting()", reassembler.waiting(), 3);
  STEP("two whole packets come, and no byte behind them");
  const Bytes two = joined(packets_of({5, 7}));
  lab::Reassembler another;
  Collect places;
  check_error("what feed returns", another.feed(two, places), ProtocolError::none);
  check_equal("the number of packets that came out", places.packets.size(), 2);
  check("both reach the sink from the bytes that came in, without a copy",
        places.places[0] == two.data() && places.places[1] == two.data() + 5);
  STEP("packets of every length come, each in a receive of its own");
  for (std::size_t length = lab::kHeaderSize; length <= lab::kMaxPacketSize; ++length) {
    const Bytes packet = packet_of(length);
    Collect alone;
    check_error("what feed returns", another.feed(packet, alone), ProtocolError::none);
    check_packets("length " + to_text(length), alone, {packet});
    check("a packet of " + to_text(length) + " bytes reaches the sink from the bytes that came in, without a copy",
          alone.places[0] == packet.data());
  }
}

LAB_TEST(Lab05, StaysInItsMemory, "N21", kStep1) {
  struct Guarded {
    unsigned char before[256];
    lab::Reassembler reassembler;
    unsigned char after[256];
  };
  STEP("500 random streams, some of them with bad lengths, between guard bytes");
  const Bytes guard(256, 0xC5);
  for (unsigned seed = 1; seed <= 500; ++seed) {
    std::minstd_rand random(seed);
    std::vector<std::size_t> sizes(1 + random() % 6);
    for (std::size_t& size : sizes) size = random() % 2 == 0 ? 250 - random() % 3 : 2 + random() % 249;
    Bytes stream = joined(packets_of(sizes));
    if (random() % 2 == 0) stream = stream + Bytes(1 + random() % 300, random() % 2 == 0 ? 255 : 0);
    // The same stream twice; the bytes behind each piece, which are not the reassembler's business, differ.
    std::vector<Bytes> seen[2];
    std::vector<std::size_t> waiting[2];
    for (int run = 0; run < 2; ++run) {
      auto guarded = std::make_unique<Guarded>();
      std::memset(guarded->before, 0xC5, sizeof guarded->before);
      std::memset(guarded->after, 0xC5, sizeof guarded->after);
      std::minstd_rand cuts(seed);
      Collect sink;
      for (std::size_t begin = 0; begin < stream.size();) {
        const std::size_t size = std::min<std::size_t>(1 + cuts() % 260, stream.size() - begin);
        Bytes piece(stream.begin() + static_cast<std::ptrdiff_t>(begin),
                    stream.begin() + static_cast<std::ptrdiff_t>(begin + size));
        piece.insert(piece.end(), 260, run == 0 ? 2 : 255);
        const ProtocolError error = guarded->reassembler.feed(std::span(std::as_const(piece)).first(size), sink);
        check("seed " + to_text(seed) + ", the memory around the Reassembler stays as it was",
              std::equal(guard.begin(), guard.end(), guarded->before) &&
                  std::equal(guard.begin(), guard.end(), guarded->after));
        if (error != ProtocolError::none) break;
        waiting[run].push_back(guarded->reassembler.waiting());
        check("seed " + to_text(seed) + ", less than the largest packet waits",
              waiting[run].back() < lab::kMaxPacketSize);
        begin += size;
      }
      seen[run] = sink.packets;
    }
    check("seed " + to_text(seed) + ", what lies behind the bytes that came does not matter",
          seen[0] == seen[1] && waiting[0] == waiting[1]);
  }
  STEP("nothing comes");
  lab::Reassembler reassembler;
  Collect sink;
  check_error("what feed returns for no bytes", reassembler.feed({}, sink), ProtocolError::none);
  feed(reassembler, sink, Bytes{5, 1}, 0, 2);
  check_error("what feed returns for no bytes", reassembler.feed({}, sink), ProtocolError::none);
  check_equal("what waits, still", reassembler.waiting(), 2);
}

// --- TODO 2: what a packet asks for ---

namespace {

ProtocolError process(lab::World& world, const std::shared_ptr<lab::Player>& player, const Bytes& packet) {
  AtTheEdge alone(packet);
  const ProtocolError error = lab::process_packet(world, player, alone.bytes());
  check("the bytes of the packet are as they were: process_packet only reads them",
        std::equal(packet.begin(), packet.end(), alone.data()));
  return error;
}

}  // namespace

LAB_TEST(Lab05, LoginPackets, "N15", kStep2) {
  lab::World world(500);
  const auto log_in_as = [&](const Bytes& name) {
    const auto player = std::make_shared<lab::Player>();
    const ProtocolError error = process(world, player, login_packet(name));
    const ProtocolError moved = process(world, player, move_packet(Direction::up));
    check_error("a move after a log-in that gave " + name_of(error), moved,
                error == ProtocolError::none ? ProtocolError::none : ProtocolError::not_logged_in);
    return error;
  };
  STEP("names of 0 to 248 bytes");
  for (std::size_t size = 0; size <= lab::kMaxPacketSize - lab::kHeaderSize; ++size) {
    check_error("a log-in with a name of " + to_text(size) + " bytes", log_in_as(Bytes(size, 'n')),
                size >= 1 && size <= lab::kMaxNameSize ? ProtocolError::none : ProtocolError::wrong_size);
  }
  STEP("every byte, as the first, the middle and the last of a name");
  for (unsigned value = 0; value < 256; ++value) {
    for (const std::size_t at : {0, 3, 6}) {
      Bytes name = bytes_of("charles");
      name[at] = static_cast<unsigned char>(value);
      check_error("a log-in with the byte " + hex({static_cast<unsigned char>(value)}) + " in its name",
                  log_in_as(name), value >= 0x21 && value <= 0x7E ? ProtocolError::none : ProtocolError::bad_name);
    }
  }
  STEP("the longest name, with a bad byte at each place");
  for (std::size_t at = 0; at < lab::kMaxNameSize; ++at) {
    Bytes name(lab::kMaxNameSize, 'n');
    name[at] = 0x7F;
    check_error("a log-in with the bad byte at place " + to_text(at), log_in_as(name), ProtocolError::bad_name);
  }
  STEP("a name that is too long and has a bad byte");
  check_error("the log-in", log_in_as(Bytes(21, 0x07)), ProtocolError::wrong_size);
  STEP("the longest name, and a zero behind it");
  check_error("the log-in", log_in_as(Bytes(20, 'n') + Bytes{0}), ProtocolError::wrong_size);
  STEP("a second log-in, good or bad");
  const auto twice = std::make_shared<lab::Player>();
  check_error("the first log-in", process(world, twice, login_packet("twice")), ProtocolError::none);
  check_error("the second log-in", process(world, twice, login_packet("twice")), ProtocolError::already_logged_in);
  check_error("a second log-in with a bad name", process(world, twice, login_packet("a b")), ProtocolError::bad_name);
  STEP("a world with room for one, and two who come");
  lab::World small(1);
  const auto first = std::make_shared<lab::Player>();
  check_error("the first log-in", process(small, first, login_packet("one")), ProtocolError::none);
  check_error("the second one's log-in", process(small, std::make_shared<lab::Player>(), login_packet("two")),
              ProtocolError::world_is_full);
  STEP("the first one's second log-in is refused, and it is still there");
  check_error("its second log-in", process(small, first, login_packet("one")), ProtocolError::already_logged_in);
  check_error("the second one's log-in", process(small, std::make_shared<lab::Player>(), login_packet("two")),
              ProtocolError::world_is_full);
  STEP("clients log in, move and send what is refused, and go; nothing keeps them");
  for (const Bytes& last : {login_packet("good"), login_packet("a b"), login_packet(""), move_packet(Direction::up),
                            Bytes{2, lab::CS_MOVE}, Bytes{3, lab::CS_MOVE, 4}, Bytes{2, 77}}) {
    for (const bool logs_in : {false, true}) {
      auto goes = std::make_shared<lab::Player>();
      if (logs_in) check_error("the log-in", process(world, goes, login_packet("goes")), ProtocolError::none);
      process(world, goes, last);
      world.leave(*goes);
      const std::weak_ptr<lab::Player> gone = goes;
      goes.reset();
      check("the object of a client that has gone after " + hex(last) + " has gone, too", gone.expired());
    }
  }
  STEP("a player logs in to watch");
  Arena arena(10);
  Arena::Seat watcher = arena.connect();
  check("the server goes on", arena.receive(watcher, login_packet("watcher")));
  arena.complete();
  check_login_ok(watcher.client);
  std::vector<Arena::Seat> seats;
  for (const std::string name : {"a", "!~", "twenty-bytes-of-name", "x:y", "AbZ_09", "%s%d\\\"'"}) {
    STEP("a player with the name " + name + " logs in");
    Arena::Seat& seat = seats.emplace_back(arena.connect());
    check("the server goes on", arena.receive(seat, login_packet(name) + Bytes{3, lab::CS_MOVE}));  // more behind it
    arena.complete();
    const PlayerAt place = check_login_ok(seat.client);
    check_told("the watcher", watcher.client, enter_packet(place, name));
  }
  STEP("a thread stands still in process_packet with a log-in, and another one calls it with a second one's");
  Arena lobby(10);
  Arena::Seat host = lobby.connect();
  check("the server goes on", lobby.receive(host, login_packet("host")));
  lobby.complete();
  check_login_ok(host.client);
  const Bytes packets[2] = {login_packet("ann"), login_packet("robert")};
  std::shared_ptr<lab::Player> players[2];
  const auto begin = [&] {
    for (auto& player : players) player = std::make_shared<lab::Player>();  // no connection: only the host is told
  };
  const auto log_in_one = [&](int i) { return [&, i] { lab::process_packet(lobby.world, players[i], packets[i]); }; };
  at_each_instruction({"process_packet", "process_packet for another client", begin, log_in_one(0), log_in_one(1), [&] {
                         lobby.world.flush(lobby.server);
                         for (const auto& player : players) lobby.world.leave(*player);
                         lobby.complete();
                         std::vector<Bytes> names;
                         for (int left = 0; left < 2;) {
                           const Bytes packet = next_packet(host.client);
                           if (packet[1] == lab::SC_ENTER) names.emplace_back(packet.begin() + 6, packet.end());
                           if (packet[1] == lab::SC_LEAVE) ++left;
                         }
                         std::sort(names.begin(), names.end());
                         check("another player is told of both, by their names",
                               names == std::vector<Bytes>{bytes_of("ann"), bytes_of("robert")});
                       }});
}

LAB_TEST(Lab05, MovePackets, "N15", kStep2) {
  Arena arena(10);
  Arena::Seat seat = arena.connect();
  STEP("a move comes before the log-in");
  check_error("the move", process(arena.world, seat.player, move_packet(Direction::up)), ProtocolError::not_logged_in);
  STEP("bad moves come before the log-in: what is wrong with the packet itself comes first");
  check_error("a move without a direction", process(arena.world, seat.player, {2, lab::CS_MOVE}),
              ProtocolError::wrong_size);
  check_error("a move with the direction 4", process(arena.world, seat.player, {3, lab::CS_MOVE, 4}),
              ProtocolError::bad_direction);
  STEP("the player logs in");
  check("the server goes on", arena.receive(seat, login_packet("mover")));
  arena.complete();
  PlayerAt place = check_login_ok(seat.client);
  STEP("bad moves come");
  for (const std::size_t size : {2, 4, 5, 22, 250}) {
    check_error(
        "a move of " + to_text(size) + " bytes",
        process(arena.world, seat.player, Bytes{static_cast<unsigned char>(size), lab::CS_MOVE} + Bytes(size - 2, 1)),
        ProtocolError::wrong_size);
  }
  check_error("a move of 4 bytes with the direction 9",
              process(arena.world, seat.player, {4, lab::CS_MOVE, 9, 9}), ProtocolError::wrong_size);
  for (unsigned direction = 4; direction < 256; ++direction) {
    check_error("a move with the direction " + to_text(direction),
                process(arena.world, seat.player, {3, lab::CS_MOVE, static_cast<unsigned char>(direction)}),
                ProtocolError::bad_direction);
  }
  arena.world.flush(arena.server);
  check_equal("the number of operations after bad moves: nobody is told", arena.operations.in_use(), 0);
  const auto walk = [&](Direction direction, std::size_t times, int x, int y) {
    STEP("it makes " + to_text(times) + " steps in direction " + to_text(static_cast<int>(direction)));
    check("the server goes on", arena.receive(seat, repeated(move_packet(direction), times)));
    arena.complete();
    place = {place.id, x, y};
    check_told("the player", seat.client, position_packet(place));
  };
  walk(Direction::up, 300, place.x, 0);     // to the edges, which is farther than the world is wide
  walk(Direction::left, 300, 0, 0);
  walk(Direction::right, 2, 2, 0);
  walk(Direction::down, 1, 2, 1);
  walk(Direction::left, 1, 1, 1);
  walk(Direction::up, 1, 1, 0);
  walk(Direction::up, 1, 1, 0);             // against the edge: answered all the same
  walk(Direction::right, 300, 255, 0);
  walk(Direction::down, 300, 255, 255);
  STEP("it makes 70000 steps more");
  for (int i = 0; i < 70000; ++i) {
    const Bytes step = move_packet(i % 2 == 0 ? Direction::left : Direction::right);
    const ProtocolError error = lab::process_packet(arena.world, seat.player, step);
    if (error != ProtocolError::none) fail("expected that step " + to_text(i + 1) + " is taken, but it was " + name_of(error));
  }
  STEP("a thread stands still in process_packet with a move, and another one calls it for a client without a log-in");
  const Bytes move = move_packet(Direction::up);
  const auto stranger = std::make_shared<lab::Player>();
  ProtocolError got[2];
  at_each_instruction({"process_packet", "process_packet for another client", [] {},
                       [&] { got[0] = lab::process_packet(arena.world, seat.player, move); },
                       [&] { got[1] = lab::process_packet(arena.world, stranger, move); }, [&] {
                         check_error("the player's move", got[0], ProtocolError::none);
                         check_error("the other's move", got[1], ProtocolError::not_logged_in);
                       }});
}

LAB_TEST(Lab05, OtherTypesAreUnknown, "N15", kStep2) {
  lab::World world(10);
  const auto player = std::make_shared<lab::Player>();
  STEP("packets of every type but 1 and 2, of several sizes, before the log-in and after it");
  for (int round = 0; round < 2; ++round) {
    for (unsigned type = 0; type < 256; ++type) {
      if (type == lab::CS_LOGIN || type == lab::CS_MOVE) continue;
      for (const std::size_t size : {2, 3, 6, 7, 250}) {
        Bytes packet(size, 1);
        packet[0] = static_cast<unsigned char>(size);
        packet[1] = static_cast<unsigned char>(type);
        check_error("a packet of type " + to_text(type) + " and size " + to_text(size), process(world, player, packet),
                    ProtocolError::unknown_type);
      }
    }
    if (round == 0) check_error("the log-in", process(world, player, login_packet("player")), ProtocolError::none);
  }
}

// --- TODO 3: positions as packets ---

LAB_TEST(Lab05, PositionsOnTheWire, "N22", kStep3) {
  STEP("0 to 320 positions are encoded, with ids up to 65535; every third time three in a row have the same id");
  for (std::size_t count = 0; count <= 320; ++count) {
    std::vector<lab::Position> positions;
    Bytes expected;
    for (std::size_t i = 0; i < count; ++i) {
      const auto id = static_cast<lab::PlayerId>((count % 3 == 2 ? i / 3 : i) * 977 + count * 259);
      positions.push_back({id, static_cast<std::uint8_t>(i * 5 + 200), static_cast<std::uint8_t>(255 - i)});
      const std::size_t in_packet = std::min<std::size_t>(62, count - i / 62 * 62);
      if (i % 62 == 0) {
        expected.push_back(static_cast<unsigned char>(2 + 4 * in_packet));
        expected.push_back(in_packet == 1 ? 103 : 104);
      }
      expected = expected + Bytes{static_cast<unsigned char>(id & 0xFF), static_cast<unsigned char>(id >> 8),
                                  positions.back().x, positions.back().y};
    }
    const std::string what = to_text(count) + " positions on the wire";
    check_equal("encoded_size(" + to_text(count) + ")", lab::encoded_size(count), expected.size());
    const std::ptrdiff_t before = 32 + static_cast<std::ptrdiff_t>(count % 2);  // guard bytes; `out` has any address
    Bytes out(static_cast<std::size_t>(before) + expected.size() + 32, 0xC5);
    AtTheEdge at_the_edge(positions.data(), positions.size() * sizeof(lab::Position));
    const std::size_t size = lab::encode_positions(
        {reinterpret_cast<const lab::Position*>(at_the_edge.data()), positions.size()}, out.data() + before);
    check_equal("the number of bytes that encode_positions returns for " + to_text(count), size, expected.size());
    check_bytes(what, Bytes(out.begin() + before, out.end() - 32), expected);
    check_bytes("the memory before " + what, Bytes(out.begin(), out.begin() + before), Bytes(static_cast<std::size_t>(before), 0xC5));
    check_bytes("the memory behind " + what, Bytes(out.end() - 32, out.end()), Bytes(32, 0xC5));
  }
  STEP("65537 positions are encoded; some ids come more than once, and some places are 0, 0");
  std::vector<lab::Position> crowd;
  for (unsigned i = 0; i < 65537; ++i) {
    crowd.push_back({static_cast<lab::PlayerId>(i / 3), static_cast<std::uint8_t>(i % 2 * i), static_cast<std::uint8_t>(i % 2)});
  }
  Bytes expected;
  for (std::size_t i = 0; i < crowd.size(); ++i) {
    const std::size_t in_packet = std::min<std::size_t>(62, crowd.size() - i / 62 * 62);
    if (i % 62 == 0) expected.insert(expected.end(), {static_cast<unsigned char>(2 + 4 * in_packet), lab::SC_POSITIONS});
    const Bytes wire = PlayerAt{crowd[i].id, crowd[i].x, crowd[i].y}.wire();
    expected.insert(expected.end(), wire.begin(), wire.end());
  }
  Bytes out(lab::encoded_size(crowd.size()) + 32, 0xC5);
  check_equal("the number of bytes that encode_positions returns", lab::encode_positions(crowd, out.data()), expected.size());
  check("the bytes of 65537 positions are as they should be",
        std::equal(expected.begin(), expected.end(), out.begin()));
  check_bytes("the memory behind them", Bytes(out.end() - 32, out.end()), Bytes(32, 0xC5));
  STEP("a thread stands still in encode_positions, and another one calls it");
  const std::vector<lab::Position> one = {{1, 2, 3}, {0x405, 6, 7}};
  const std::vector<lab::Position> other = {{0x809, 10, 11}, {12, 13, 14}, {15, 16, 17}};
  Bytes seen[2];
  at_each_instruction({"encode_positions", "encode_positions elsewhere",
                       [&] { seen[0] = Bytes(10, 0xC5), seen[1] = Bytes(14, 0xC5); },
                       [&] { lab::encode_positions(one, seen[0].data()); },
                       [&] { lab::encode_positions(other, seen[1].data()); }, [&] {
                         check_bytes("the one's packet", seen[0], {10, 104, 1, 0, 2, 3, 5, 4, 6, 7});
                         check_bytes("the other's packet", seen[1], {14, 104, 9, 8, 10, 11, 12, 0, 13, 14, 15, 0, 16, 17});
                       }});
}

// --- the given world, on top of what you wrote ---

LAB_TEST(Lab05, PlayersComeIntoView, "N22", kWorld) {
  Arena arena(10, 4);
  STEP("ann and bob log in; a player sees four steps far");
  Arena::Seat ann = arena.connect();
  Arena::Seat bob = arena.connect();
  check("the server goes on", arena.receive(ann, login_packet("ann")) && arena.receive(bob, login_packet("bob")));
  arena.complete();
  PlayerAt a = check_login_ok(ann.client);
  PlayerAt b = check_login_ok(bob.client);
  STEP("both walk to the left edge; ann to the top, bob to five steps below her");
  const Bytes to_corner = repeated(move_packet(Direction::left), 256) + repeated(move_packet(Direction::up), 256);
  check("the server goes on", arena.receive(ann, to_corner));
  arena.complete();
  a = {a.id, 0, 0};
  check("the server goes on", arena.receive(bob, to_corner + repeated(move_packet(Direction::down), 5)));
  arena.complete();
  b = {b.id, 0, 5};
  read_until("ann", ann.client, a);  // what they saw of each other on the way depends on where they began
  read_until("bob", bob.client, b);
  STEP("bob makes a step towards her, and comes into view");
  check("the server goes on", arena.receive(bob, move_packet(Direction::up)));
  arena.complete();
  b.y = 4;
  check_told("ann", ann.client, enter_packet(b, "bob"));
  check_told("bob", bob.client, enter_packet(a, "ann") + position_packet(b));
  STEP("ann makes a step; both see it");
  check("the server goes on", arena.receive(ann, move_packet(Direction::right)));
  arena.complete();
  a.x = 1;
  check_told("ann", ann.client, position_packet(a));
  check_told("bob", bob.client, position_packet(a));
  STEP("bob goes out of view again");
  check("the server goes on", arena.receive(bob, move_packet(Direction::down)));
  arena.complete();
  b.y = 5;
  check_told("ann", ann.client, leave_packet(b.id));
  check_told("bob", bob.client, leave_packet(a.id) + position_packet(b));
}

LAB_TEST(Lab05, AnIdIsUsedAgain, "N22", kWorld) {
  Arena arena(2);
  STEP("ann and bob log in; the world has no room for more");
  Arena::Seat ann = arena.connect();
  Arena::Seat bob = arena.connect();
  check("the server goes on", arena.receive(ann, login_packet("ann")));
  arena.complete();
  const PlayerAt a = check_login_ok(ann.client);
  check("the server goes on", arena.receive(bob, login_packet("bob")));
  arena.complete();
  const PlayerAt b = check_login_ok(bob.client);
  check_told("bob", bob.client, enter_packet(a, "ann"));
  check_told("ann", ann.client, enter_packet(b, "bob"));
  check("the two have different ids", a.id != b.id);
  STEP("cid tries to log in");
  Arena::Seat cid = arena.connect();
  check("the server does not go on with cid", !arena.receive(cid, login_packet("cid")));
  STEP("bob leaves and dan comes, all while one send to ann is on its way");
  const auto [direction, next] = step_from(a);
  check("the server goes on", arena.receive(ann, move_packet(direction)));
  lab::disconnect(arena.server, bob.player, "the test says so");
  Arena::Seat dan = arena.connect();
  check("the server goes on", arena.receive(dan, login_packet("dan")));
  arena.complete();
  const PlayerAt d = check_login_ok(dan.client);
  check_equal("dan's id", d.id, b.id);
  check_told("ann", ann.client, position_packet(next) + leave_packet(b.id) + enter_packet(d, "dan"));
  check_told("dan", dan.client, enter_packet(next, "ann"));
}

LAB_TEST(Lab05, MovesWaitAndGoTogether, "N22", kWorld) {
  Arena arena(10);
  STEP("ann and bob log in");
  Arena::Seat ann = arena.connect();
  Arena::Seat bob = arena.connect();
  check("the server goes on", arena.receive(ann, login_packet("ann")));
  arena.complete();
  PlayerAt a = check_login_ok(ann.client);
  check("the server goes on", arena.receive(bob, login_packet("bob")));
  arena.complete();
  PlayerAt b = check_login_ok(bob.client);
  check_told("bob", bob.client, enter_packet(a, "ann"));
  check_told("ann", ann.client, enter_packet(b, "bob"));
  STEP("ten moves of ann come in one receive, the last one cut");
  const std::uint64_t sends = arena.world.stats().sends;
  const auto [direction, next] = step_from(a);
  const Bytes moves = repeated(move_packet(direction), 10);
  a = {a.id, a.x + 10 * (next.x - a.x), a.y};
  check("the server goes on", arena.receive(ann, Bytes(moves.begin(), moves.end() - 1)));
  check("the server goes on", arena.receive(ann, Bytes(moves.end() - 1, moves.end())));
  check_equal("the number of sends: one for each who sees it, until that has completed", arena.world.stats().sends,
              sends + 2);
  STEP("meanwhile bob makes a step");
  const auto [his_direction, his_next] = step_from(b);
  b = his_next;
  check("the server goes on", arena.receive(bob, move_packet(his_direction)));
  check_equal("the number of sends, still", arena.world.stats().sends, sends + 2);
  STEP("the sends complete, and what waited goes together");
  arena.complete();
  check_equal("the number of sends", arena.world.stats().sends, sends + 4);
  const Bytes first_part = position_packet({a.id, direction == Direction::right ? a.x - 1 : a.x + 1, a.y});
  const Bytes both = Bytes{10, lab::SC_POSITIONS} + a.wire() + b.wire();
  check_told("ann", ann.client, first_part + both);
  check_told("bob", bob.client, first_part + both);
}

// --- calls that fail, and every order of things ---

LAB_TEST(Lab05, CallsThatFailCostOnePlayer, "N14, N19", kWorld) {
  const auto operations = std::make_shared<OperationLedger>();
  GameServer server(operations);
  server.start(2);
  Faults faults;
  const auto is_hit = [&](GameServer::Guest& guest) {
    check_eventually("the client is disconnected", [&] { return server.is_gone(guest); });
    check_equal("the calls that were to fail and were not made", faults.left(), 0u);
    guest.client.receive_until_end();
    server.settle();
    server.check_rest();
    server.play_a_round();
  };
  STEP("a player is alone when the answer to its log-in is cut short");
  GameServer::Guest& cut = server.enter();
  faults.shorten_next_send(3);
  server.log_in(cut);
  is_hit(cut);
  STEP("a player is alone, and there is no operation for the answer");
  GameServer::Guest& unlucky = server.enter();
  operations->give_only(0);
  server.log_in(unlucky);
  is_hit(unlucky);
  operations->give_only(1000000);
  STEP("one logs in, and stays");
  GameServer::Guest& stays = server.enter();
  server.log_in(stays);
  server.settle();
  server.check_rest();
  for (const int error : {WSAECONNRESET, WSAECONNABORTED, WSAENOBUFS, WSAENETRESET, WSAESHUTDOWN}) {
    STEP("another one logs in; the one who stays is told so, but WSASend to the new one fails at once with " +
         to_text(error));
    GameServer::Guest& guest = server.enter();
    faults.fail(Call::WSASend, error, 1, 1);
    server.log_in(guest);
    is_hit(guest);
  }
  for (const int error : {WSAECONNRESET, WSAECONNABORTED, WSAENOBUFS, WSAENETRESET, WSAESHUTDOWN}) {
    STEP("another one logs in; WSARecv fails at once with " + to_text(error) + ", when its receive is posted again");
    GameServer::Guest& guest = server.enter();
    faults.fail(Call::WSARecv, error);
    server.log_in(guest);
    is_hit(guest);
  }
  check("the one who stays was never disconnected", server.plays(stays) && !server.is_gone(stays));
  STEP("the server disconnects everybody, and stops");
  server.finish();
  operations->check_in_order();
}

LAB_TEST(Lab05, SeedsTellEveryPlayer, "N16, N22", kStep1) {
  STEP("three workers, four players, and one who comes later; the seed chooses who goes on, and how the bytes are cut");
  for_each_seed(24, [](std::uint64_t seed) {
    const auto operations = std::make_shared<OperationLedger>();
    GameServer server(operations, seed % 3 == 0 ? 60 : 255);
    {
      Conductor conductor(seed);
      server.start(3);
      conductor.wait_for_threads(3);
      for (unsigned i = 0; i < 4; ++i) {
        GameServer::Guest& guest = server.enter();
        conductor.act(i, [&] { server.log_in(guest); });
      }
      conductor.play();
      server.settle();
      for (unsigned i = 0; i < 4; ++i) {
        for (int k = 0; k < 4; ++k) conductor.act(i, [&server, i] { server.move(server.guests()[i]); });
      }
      GameServer::Guest& late = server.enter();
      conductor.act(4, [&] { server.log_in(late); });
      conductor.play();
      server.settle();
      server.check_rest();
      check_equal("the number of clients that are connected", server.connected(), 5u);
      check_equal("the number of packets that were played", server.packets(), 21u);
    }
    server.finish();
    operations->check_in_order();
  });
  STEP("a player moves and leaves, in every order of two workers with at most one preemption");
  for_each_order(1, [](std::uint64_t seed) {
    const auto operations = std::make_shared<OperationLedger>();
    GameServer server(operations);
    {
      Conductor conductor(seed);
      server.start(2);
      conductor.wait_for_threads(2);
      GameServer::Guest& guest = server.enter();
      server.log_in(guest);
      conductor.play();
      server.settle();
      conductor.act(0, [&] { server.move(guest); });
      conductor.act(0, [&] { server.goes(guest).client.half_close(); });
      conductor.play();
      server.settle();
      server.check_rest();
      check_equal("the number of packets that were played", server.packets(), 2u);
    }
    server.finish();
    operations->check_in_order();
  });
}

LAB_TEST(Lab05, SeedsOfEveryEnd, "N14, N20", kStep2) {
  const std::vector<Bytes> malformed = {{0},           {1},       {251},     {255, 1, 1}, {2, 3},
                                        {4, 2, 1, 1}, {3, 2, 4}, {3, 1, 65}, {3, 1, 32},  {6, 103, 0, 0, 1, 1}};
  STEP("a player sends what is malformed, one resets in the middle of a packet, one closes its side; two go on, and "
       "one comes");
  for_each_seed(20, [&](std::uint64_t seed) {
    const auto operations = std::make_shared<OperationLedger>();
    GameServer server(operations);
    {
      Conductor conductor(seed);
      server.start(3);
      conductor.wait_for_threads(3);
      for (unsigned i = 0; i < 5; ++i) {
        GameServer::Guest& guest = server.enter();
        conductor.act(i, [&] { server.log_in(guest); });
      }
      conductor.play();
      server.settle();
      auto& guests = server.guests();
      const Bytes& bad = malformed[seed % malformed.size()];
      conductor.act(0, [&] { server.send(server.goes(guests[0]), std::string(bad.begin(), bad.end())); });
      conductor.act(1, [&] { server.send(server.goes(guests[1]), {20, lab::CS_LOGIN, 'c', 'u', 't'}); });
      conductor.act(1, [&] { guests[1].client.abort(); });
      conductor.act(2, [&] { server.send(server.goes(guests[2]), {3, lab::CS_MOVE}); });
      conductor.act(2, [&] { guests[2].client.half_close(); });
      for (unsigned i = 3; i < 5; ++i) {
        for (int k = 0; k < 3; ++k) conductor.act(i, [&, i] { server.move(guests[i]); });
      }
      GameServer::Guest& late = server.enter();
      conductor.act(5, [&] { server.log_in(late); });
      conductor.play();
      for (unsigned i = 0; i < 3; ++i) check("a client that ends is disconnected", server.is_gone(guests[i]));
      check_equal("the number of clients that are connected", server.connected(), 3u);
      server.settle();
      server.check_rest();
    }
    server.play_a_round();
    server.finish();
    operations->check_in_order();
  });
}

LAB_TEST(Lab05, SeedsOfFailingCalls, "N14, N19", kWorld) {
  STEP("calls fail here and there while four players move; the others are told who was hit, and go on");
  for_each_seed(24, [](std::uint64_t seed) {
    const auto operations = std::make_shared<OperationLedger>();
    GameServer server(operations);
    Faults faults;
    {
      Conductor conductor(seed);
      server.start(3);
      conductor.wait_for_threads(3);
      for (unsigned i = 0; i < 4; ++i) {
        GameServer::Guest& guest = server.enter();
        conductor.act(i, [&] { server.log_in(guest); });
      }
      conductor.play();
      server.settle();
      faults.fail(Call::WSARecv, WSAECONNABORTED, 1, static_cast<unsigned>(conductor.random().below(3)));
      faults.fail(Call::WSASend, WSAENOBUFS, 1, static_cast<unsigned>(conductor.random().below(3)));
      for (unsigned i = 0; i < 4; ++i) {
        for (int k = 0; k < 3; ++k) conductor.act(i, [&server, i] { server.move(server.guests()[i]); });
      }
      conductor.play();
      check_equal("the calls that were to fail and were not made", faults.left(), 0u);
      check("one or two clients are hit", server.connected() == 2 || server.connected() == 3);
      server.settle();
      server.check_rest();
    }
    server.play_a_round();
    server.finish();
    operations->check_in_order();
  });
}

// --- the program ---

LAB_TEST(Lab05, ProgramTellsBothSides, "N15", kProgram) {
  ServerProgram server;
  STEP("ann logs in");
  TestClient ann(server.port);
  PlayerAt a = log_in(ann, "ann");
  STEP("bob logs in; he is told of ann, and she of him");
  TestClient bob(server.port);
  PlayerAt b = log_in(bob, "bob");
  check_told("bob", bob, enter_packet(a, "ann"));
  check_told("ann", ann, enter_packet(b, "bob"));
  STEP("each makes a step, and both see it");
  for (int i = 0; i < 2; ++i) {
    TestClient& mover = i == 0 ? ann : bob;
    PlayerAt& place = i == 0 ? a : b;
    const auto [direction, next] = step_from(place);
    place = next;
    send(mover, move_packet(direction));
    check_told("ann", ann, position_packet(place));
    check_told("bob", bob, position_packet(place));
  }
  STEP("bob sends 100 moves at once");
  const Direction direction = b.x < 128 ? Direction::right : Direction::left;
  b.x += b.x < 128 ? 100 : -100;
  send(bob, repeated(move_packet(direction), 100));
  const std::size_t to_bob = read_until("bob", bob, b);
  const std::size_t to_ann = read_until("ann", ann, b);
  check("they are put together into a few positions, not one for each move; there were " + to_text(to_bob) + " and " +
            to_text(to_ann), to_bob <= 25 && to_ann <= 25);
  STEP("bob leaves");
  bob.close();
  check_told("ann", ann, leave_packet(b.id));
  STEP("the server is asked to stop");
  server.stop();
}

LAB_TEST(Lab05, ProgramTakesCutPackets, "N16", kProgram) {
  ServerProgram server;
  STEP("a witness logs in");
  TestClient witness(server.port);
  PlayerAt place = log_in(witness, "witness");
  std::size_t packets = 1;
  std::vector<TestClient> clients;  // they stay: to close a socket with unread bytes resets it, and loses what it sent
  // Between two pieces the witness makes a step and is answered, so the first piece has come long before the second.
  const Bytes session = login_packet("cut") + repeated(move_packet(Direction::up), 2) + move_packet(Direction::down);
  const std::size_t login_size = login_packet("cut").size();
  for (std::size_t cut = 1; cut < session.size(); ++cut) {
    STEP("a log-in and three moves come in two pieces, cut after byte " + to_text(cut));
    TestClient& client = clients.emplace_back(server.port);
    send(client, Bytes(session.begin(), session.begin() + static_cast<std::ptrdiff_t>(cut)));
    PlayerAt at;
    if (cut >= login_size) at = check_login_ok(client);
    step_and_wait(witness, place);
    send(client, Bytes(session.begin() + static_cast<std::ptrdiff_t>(cut), session.end()));
    if (cut < login_size) at = check_login_ok(client);
    if (cut == login_size) read_until("the player", client, {at.id, at.x, std::min(255, std::max(0, at.y - 2) + 1)});
    packets += 5;
  }
  STEP("a log-in and three moves come byte by byte");
  TestClient& client = clients.emplace_back(server.port);
  for (const unsigned char byte : session) {
    send(client, {byte});
    step_and_wait(witness, place);
    ++packets;
  }
  check_login_ok(client);
  packets += 4;
  STEP("each says that it has sent all, and the server closes");
  clients.push_back(std::move(witness));
  for (TestClient& one : clients) one.half_close();
  for (TestClient& one : clients) one.receive_until_end();
  STEP("the server is asked to stop");
  server.stop();
  const std::string line = server.wait_for_line("packets received: ");
  check("all " + to_text(packets) + " packets have been received; the server says " + line,
        line == "packets received: " + to_text(packets));
}

LAB_TEST(Lab05, ProgramEndsTheMalformed, "N20", kProgram) {
  ServerProgram server;
  STEP("a good player logs in");
  TestClient good(server.port);
  PlayerAt place = log_in(good, "good");
  struct Case {
    bool logs_in;
    Bytes bytes;
    ProtocolError error;
  };
  const std::vector<Case> cases = {
      {true, {0}, ProtocolError::length_below_header},
      {false, {1}, ProtocolError::length_below_header},
      {true, {251}, ProtocolError::length_above_maximum},
      {false, {255, 1, 1}, ProtocolError::length_above_maximum},
      {true, {2, 3}, ProtocolError::unknown_type},
      {false, {6, 103, 0, 0, 1, 1}, ProtocolError::unknown_type},
      {false, {2, 1}, ProtocolError::wrong_size},
      {false, login_packet(std::string(21, 'a')), ProtocolError::wrong_size},
      {true, {4, 2, 1, 1}, ProtocolError::wrong_size},
      {false, login_packet(std::string("a b")), ProtocolError::bad_name},
      {true, {3, 2, 4}, ProtocolError::bad_direction},
      {false, move_packet(Direction::up), ProtocolError::not_logged_in},
      {true, login_packet(std::string("again")), ProtocolError::already_logged_in},
  };
  for (const Case& one : cases) {
    STEP(std::string(one.logs_in ? "a player" : "a client") + " sends " + hex(one.bytes));
    TestClient bad(server.port);
    if (one.logs_in) log_in(bad, "bad");
    send(bad, one.bytes);
    bad.receive_until_end();
    server.wait_for_line(lab::describe(one.error));
    step_and_wait(good, place);
  }
  STEP("a client sends half a packet and leaves");
  TestClient half(server.port);
  log_in(half, "half");
  send(half, {9, 1, 1});
  half.abort();
  step_and_wait(good, place);
  STEP("the server is asked to stop");
  server.stop();
}

LAB_TEST(Lab05, ProgramPlaysWith200Bots, "N22", kProgram) {
  ServerProgram server({"--threads", "4"});
  bots::Options options;
  options.port = server.port;
  options.bots = 200;
  options.moves = static_cast<std::uint64_t>(10 / slowness());
  STEP("200 bots log in and make " + to_text(options.moves) + " moves each; they check all that they are told");
  play_bots(options);
  STEP("the server is asked to stop");
  server.stop();
}

LAB_TEST(Lab05, ProgramPlaysWhileBotsComeAndGo, "N16", kProgram) {
  ServerProgram server({"--threads", "4", "--view", "60"});
  bots::Options options;
  options.port = server.port;
  options.bots = 60;
  options.moves = static_cast<std::uint64_t>(60 / slowness());
  options.churn = 12;
  options.view = 60;
  STEP("60 bots play, log out after about 12 moves in one way or another, and come again; they see 60 steps far");
  play_bots(options);
  STEP("the server is asked to stop");
  server.stop();
}

LAB_TEST(Lab05, ProgramStopsInOrder, "N14", kProgram) {
  ServerProgram server;
  STEP("40 players log in; some are in the middle of a packet, some send many moves and read nothing");
  std::vector<TestClient> clients = connect_many(server.port, 40);
  for (std::size_t i = 0; i < clients.size(); ++i) log_in(clients[i], "p" + to_text(i));
  const Bytes flood = repeated(move_packet(Direction::left), 1000);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    if (i % 3 == 0) send(clients[i], {200, 1, 1});
    if (i % 3 == 1) send(clients[i], flood);
  }
  STEP("the server is asked to stop");
  server.stop();
  server.wait_for_line("drained: 0 operations are outstanding");
  STEP("each player sees the end of the connection");
  for (TestClient& client : clients) client.receive_until_end();
}
