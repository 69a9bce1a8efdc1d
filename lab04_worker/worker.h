// Lab 4: the worker threads. (Notes N1, N4, N7, N14, N15, N18, N19)
//
// You write worker.cpp. The functions below are its contract.
#pragma once

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "overlapped_ex.h"

namespace lab {

struct Server;

// What a server does with the data that it receives. The echo server is one handler, the game of lab 5 another.
//
// Threads: called on worker threads, for different clients at the same time. For one client, on_recv is never called
// twice at once, and the calls come in the order of the bytes, because only one receive is pending (N7). on_sent and
// on_disconnect may be called at the same time as on_recv, and on_recv may be called once more after on_disconnect.
// The handler may call send_bytes and disconnect from each of its functions, for any client. So while you call it, do
// not hold a lock that these functions acquire, or that another client's completion needs.
class Handler {
 public:
  virtual ~Handler() = default;
  // `size` > 0 bytes have arrived. `data` is valid during this call only. Return false to disconnect the client.
  virtual bool on_recv(Server& server, const std::shared_ptr<Connection>& connection, const char* data,
                       std::size_t size) = 0;
  // A send of `size` bytes has completed fully.
  virtual void on_sent(Server& server, const std::shared_ptr<Connection>& connection, std::size_t size) = 0;
  // The client is removed from the table and its socket is closed. Called once per client. `why` is a short reason.
  virtual void on_disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why) = 0;
};

// The objects that the workers use. It owns none of them, and all of them outlive the workers.
// Threads: the members do not change while workers run; each object documents which threads may use it.
struct Server {
  HANDLE port;
  ClientTable& clients;
  OperationSource& operations;
  Handler& handler;
  std::size_t max_bytes_in_flight = 256 * 1024;  // per client; above it the client reads too slowly
};

// The completion key of the quit packet. It cannot be a client's key, because no client is at address 0.
constexpr ULONG_PTR kQuitKey = 0;

// Ends a client: closes the connection, removes it from the table, and calls on_disconnect with `why`. Only the first
// call for a connection does anything, however many of its operations fail. Operations that are still pending complete
// with an error, and each of these completions releases its operation.
// Any thread may call it.
void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why);

// Sends one message, whole and never mixed with another (N18). `size` is 1 to kBufferSize bytes.
// Returns true if the send was posted. Otherwise it disconnects the client and returns false:
//   - more than `max_bytes_in_flight` bytes would be outstanding: the client reads too slowly, and memory is limited;
//   - the send could not be posted.
// Any thread may call it. If several do so for one client at once, each may exceed the limit by its own message.
bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, std::size_t size);

// Handles one completion of a client's operation (N14, N15). `ok` and `bytes` are the results of
// GetQueuedCompletionStatus.
//
//   recv, ok, bytes > 0   on_recv; then post the operation again (N4). If either returns false: disconnect, release.
//   recv, ok, 0 bytes     the client closed its side: disconnect, release.
//   send, ok, all bytes   bytes_in_flight goes down, on_sent, release.
//   send, ok, fewer       the stream is corrupted (N19): as failed.
//   failed (not ok)       whatever the error is: disconnect, release; for a send bytes_in_flight goes down.
//
// Takes `op` over: it is either posted again or released, once.
void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes);

// Runs one worker thread: takes completion packets from the port until it gets the quit packet; waits while there is
// none. Before it ends, it handles everything that it took before the quit packet. Each idle worker waits in the call
// itself, not on a lock of yours: the port decides which one gets the next packet (N1).
//
// GetQueuedCompletionStatus has four outcomes:
//   TRUE,  OVERLAPPED set    an operation succeeded                       -> handle_completion
//   FALSE, OVERLAPPED set    an operation failed; the worker continues    -> handle_completion
//   TRUE,  OVERLAPPED null   a posted completion packet: end if it is the quit packet, otherwise ignore it
//   FALSE, OVERLAPPED null   the call itself failed: continue at WAIT_TIMEOUT, otherwise end (the port is closed)
// Page: GetQueuedCompletionStatus.
void worker_loop(Server& server);

// Starts `count` threads that run worker_loop with this `server` object, not a copy of it. `server` must outlive them.
std::vector<std::thread> start_workers(Server& server, unsigned count);

// Ends the workers: posts one quit packet for each, then joins them all. `workers` is empty afterwards. Workers of
// another server, with another port, keep running. A quit packet that cannot be posted is posted again: without its
// packet a worker never ends.
// REQUIRES: every operation has been drained; packets that are still queued are lost.
// Page: PostQueuedCompletionStatus.
void stop_workers(Server& server, std::vector<std::thread>& workers);

}  // namespace lab
