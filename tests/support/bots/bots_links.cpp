#include "bots_links.h"

#include <chrono>
#include <cstring>
#include <utility>

namespace bots {

void Link::send(std::string_view bytes) {
  waiting_ += bytes;
  send_more();
}

void Link::half_close() {
  half_closed = true;
  ::shutdown(socket_.get(), SD_SEND);
}

void Link::reset() {
  linger at_once{};
  at_once.l_onoff = 1;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&at_once), sizeof at_once);
  close();
}

void Link::close() {
  socket_.close();
  const std::shared_ptr<Link> last = std::move(self_);  // what is pending has references of its own
}

void Link::receive_more() {
  recv_.overlapped = OVERLAPPED{};
  WSABUF room{static_cast<ULONG>(sizeof in_ - size_), in_ + size_};
  DWORD flags = 0;
  posted(recv_, ::WSARecv(socket_.get(), &room, 1, nullptr, &flags, &recv_.overlapped, nullptr));
}

void Link::send_more() {
  if (sending() || waiting_.empty()) return;
  going_ = std::exchange(waiting_, {});
  send_.overlapped = OVERLAPPED{};
  WSABUF bytes{static_cast<ULONG>(going_.size()), going_.data()};
  posted(send_, ::WSASend(socket_.get(), &bytes, 1, nullptr, 0, &send_.overlapped, nullptr));
}

void Link::posted(Operation& operation, int result) {
  if (result != 0 && ::WSAGetLastError() != WSA_IO_PENDING) return;  // the receive says that the link is lost
  operation.link = self_;
  ++links_.pending_;
}

Links::Links(LinkEvents& events)
    : events_(&events), port_(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1)) {
  if (!port_.valid()) lab::throw_socket_error("CreateIoCompletionPort", static_cast<int>(::GetLastError()));
}

Links::~Links() {
  events_ = nullptr;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (pending_ > 0 && std::chrono::steady_clock::now() < deadline) wait(100);
}

Link& Links::connect(std::size_t bot, const std::string& host, std::uint16_t port) {
  const std::shared_ptr<Link> link(new Link(bot, *this));
  link->socket_ = lab::UniqueSocket(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  if (!link->socket_.valid()) lab::throw_socket_error("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) lab::throw_socket_error("inet_pton", WSAEINVAL);
  const SOCKET socket = link->socket_.get();
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    lab::throw_socket_error("connect");
  }
  const int on = 1;
  if (::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&on), sizeof on) != 0) {
    lab::throw_socket_error("setsockopt");
  }
  if (::CreateIoCompletionPort(reinterpret_cast<HANDLE>(socket), port_.get(), 0, 0) == nullptr) {
    lab::throw_socket_error("CreateIoCompletionPort", static_cast<int>(::GetLastError()));
  }
  link->self_ = link;
  link->receive_more();
  return *link;
}

void Links::wait(DWORD milliseconds) {
  DWORD bytes = 0;
  ULONG_PTR key = 0;
  OVERLAPPED* overlapped = nullptr;
  const BOOL ok = ::GetQueuedCompletionStatus(port_.get(), &bytes, &key, &overlapped, milliseconds);
  if (overlapped == nullptr) return;
  auto& operation = *CONTAINING_RECORD(overlapped, Link::Operation, overlapped);
  const std::shared_ptr<Link> link = std::move(operation.link);
  --pending_;
  if (events_ == nullptr || !link->self_) return;  // closed from this side
  if (&operation == &link->send_) {
    if (ok) link->send_more();
    return;  // a failed send: the receive fails, too
  }
  if (!ok || bytes == 0) return events_->on_lost(*link);
  link->size_ += bytes;
  const std::size_t taken = events_->on_bytes(*link, {link->in_, link->size_});
  if (!link->self_) return;
  link->size_ -= taken;
  std::memmove(link->in_, link->in_ + taken, link->size_);
  link->receive_more();
}

}  // namespace bots
