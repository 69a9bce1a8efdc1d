// The I/O of a socket: how receives and sends begin, wait and end.
#include "socket.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>

namespace win32_linux {
namespace {

constexpr DWORD kMaxBuffers = 64;   // maximum in one system call

// Collects the remaining buffers for the kernel. Returns their total length.
std::size_t gather(const Operation& operation, iovec* to, std::size_t& n) {
  std::size_t length = 0;
  n = std::min(operation.count - operation.first, kMaxBuffers);
  for (std::size_t i = 0; i < n; ++i) {
    const WSABUF& buffer = operation.buffers[operation.first + i];
    to[i] = {buffer.buf, buffer.len};
    length += buffer.len;
  }
  return length;
}

}  // namespace

Socket::Socket(int fd, bool overlapped)
    : Object(Kind::kSocket), fd_(fd), overlapped_(overlapped), receive_(POLLIN), send_(POLLOUT) {}

Socket::~Socket() { ::close(fd_); }

// Returns the error of a call that cannot begin, or 0.
int Socket::refusal(const Lane& lane) const {
  if (closed_) return WSAENOTSOCK;      // closed after the look-up of the handle
  if (lane.shut) return WSAESHUTDOWN;
  return broken_;                       // Linux reports a reset once, Windows each time
}

int Socket::note_error(int error_number) {
  if (error_number == EPIPE && !connected_) return WSAENOTCONN;   // Linux reports a broken pipe here, too
  const int error = wsa_error(error_number);
  switch (error_number) {
    case ECONNRESET: case ECONNABORTED: case EPIPE: case ETIMEDOUT: case EHOSTUNREACH: case ENETUNREACH:
      broken_ = error;   // the connection cannot recover
  }
  return error;
}

// Tries to finish an operation now. Returns false if the kernel has no more data or space for it. Returns true if it
// succeeded, or failed with `error` set.
bool Socket::attempt(Lane& lane, Operation& operation) {
  return &lane == &receive_ ? try_receive(operation) : try_send(operation);
}

bool Socket::try_receive(Operation& operation) {
  iovec buffers[kMaxBuffers];
  msghdr message{};
  message.msg_iov = buffers;
  const std::size_t wanted = gather(operation, buffers, message.msg_iovlen);
  const int flags = operation.peek ? MSG_PEEK : 0;
  ssize_t n = 0;
  if (wanted == 0) {
    // Without buffers it only checks whether data is available.
    char byte;
    n = std::min<ssize_t>(::recv(fd_, &byte, 1, MSG_PEEK), 0);
  } else if (message.msg_iovlen == 1) {
    n = ::recv(fd_, buffers[0].iov_base, buffers[0].iov_len, flags);
  } else {
    n = ::recvmsg(fd_, &message, flags);
  }
  if (n < 0 && errno == EAGAIN) {
    receive_.ready = ended_ = false;
    return false;
  }
  if (n < 0) {
    operation.error = note_error(errno);
    return true;
  }
  operation.bytes = static_cast<DWORD>(n);
  // A short read has emptied the stream: the next edge of epoll reports more data. At the end of the stream there are
  // no more edges, but the end can always be read.
  if (n == 0 && wanted > 0) ended_ = true;
  if (static_cast<std::size_t>(n) < wanted && !ended_ && !operation.peek) receive_.ready = false;
  return true;
}

bool Socket::try_send(Operation& operation) {
  for (;;) {
    iovec buffers[kMaxBuffers];
    msghdr message{};
    message.msg_iov = buffers;
    gather(operation, buffers, message.msg_iovlen);
    // MSG_NOSIGNAL: Windows has no SIGPIPE.
    const ssize_t n = message.msg_iovlen == 1
                          ? ::send(fd_, buffers[0].iov_base, buffers[0].iov_len, MSG_NOSIGNAL)
                          : ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      send_.ready = false;
      return false;
    }
    if (n < 0) {
      operation.error = note_error(errno);
      return true;
    }
    operation.bytes += static_cast<DWORD>(n);
    // After a short write this sends again: only a refused send makes epoll report free space.
    if (operation.advance(static_cast<std::size_t>(n))) return true;
  }
}

// Writes the result to the caller's OVERLAPPED. Another thread may be reading it already.
void Socket::report(const Operation& operation, int error) {
  OVERLAPPED& overlapped = *operation.overlapped;
  std::atomic_ref(overlapped.InternalHigh).store(operation.bytes, std::memory_order_relaxed);
  std::atomic_ref(overlapped.Internal)
      .store(static_cast<ULONG_PTR>(status_of(error)), std::memory_order_release);
}

void Socket::complete(Operation* operation) {
  if (operation->caller) {
    operation->done = true;
    operation->caller->wake();
    return;
  }
  operation->status = status_of(operation->error);
  operation->key = key_;
  report(*operation, operation->error);
  if (port_) {
    port_->push(operation);
  } else {
    Operation::recycle(operation);   // without a port, only the OVERLAPPED reports the result
  }
}

int Socket::start(Lane& lane, Operation* operation, DWORD* bytes) {
  const std::lock_guard lock(mutex_);
  int error = refusal(lane);
  if (error == 0) {
    if (!port_) drive(lane);   // no thread polls for this socket: each call also drives the earlier ones
    std::atomic_ref(operation->overlapped->Internal).store(STATUS_PENDING, std::memory_order_relaxed);
    const bool now = lane.pending.empty() && (lane.ready || !port_) && attempt(lane, *operation);
    if (!now) {
      lane.pending.push(operation);
      return WSA_IO_PENDING;
    }
    error = operation->error;
  }
  if (error != 0) {
    // It failed at once: the call itself reports the error, and there is no packet.
    report(*operation, error);
    Operation::recycle(operation);
    return error;
  }
  if (bytes) *bytes = operation->bytes;
  if (skip_packets_) {
    report(*operation, 0);
    Operation::recycle(operation);
  } else {
    complete(operation);
  }
  return 0;
}

int Socket::call(Lane& lane, Operation& operation) {
  std::unique_lock lock(mutex_);
  if (const int error = refusal(lane)) return error;
  if (lane.pending.empty() && attempt(lane, operation)) return operation.error;
  if (nonblocking_) return operation.bytes > 0 ? 0 : WSAEWOULDBLOCK;   // in this mode a partial transfer is a success

  // It is in the same queue as the overlapped ones, so the bytes keep the order of the calls.
  BlockedCall caller(blocked_, lock);
  operation.caller = &caller;
  lane.pending.push(&operation);
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  for (;;) {
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
    if (lane.timeout != INFINITE && spent >= lane.timeout) break;
    caller.sleep(fd_, lane.poll_events, lane.timeout == INFINITE ? INFINITE : lane.timeout - static_cast<DWORD>(spent));
    if (!operation.done) drive(lane);
    if (operation.done) return operation.error;
  }
  OperationQueue given_up;
  lane.pending.move_if([&](const Operation& other) { return &other == &operation; }, given_up);
  return WSAETIMEDOUT;
}

// Moves bytes for the operations in the queue, in order, as far as the kernel allows.
void Socket::drive(Lane& lane) {
  while (!lane.pending.empty()) {
    Operation& first = *lane.pending.front();
    if (broken_) {
      first.error = broken_;
    } else if (!attempt(lane, first)) {
      return;
    }
    complete(lane.pending.pop());
  }
  if (&lane == &send_ && finish_) {
    finish_ = false;
    ::shutdown(fd_, SHUT_WR);
  }
}

void Socket::on_ready(unsigned events) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  const bool over = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
  if (over) ended_ = true;
  if (over || (events & EPOLLIN)) receive_.ready = true;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) send_.ready = true;
  if (receive_.ready) drive(receive_);
  if (send_.ready) drive(send_);
}

template <class Match>
bool Socket::abort(Lane& lane, Match match) {
  OperationQueue aborted;
  lane.pending.move_if(match, aborted);
  const bool any = !aborted.empty();
  while (!aborted.empty()) {
    Operation* operation = aborted.pop();
    operation->error = operation->caller ? WSAEINTR : WSA_OPERATION_ABORTED;
    complete(operation);
  }
  return any;
}

DWORD Socket::cancel(const OVERLAPPED* overlapped) {
  const auto match = [=](const Operation& operation) {
    return operation.overlapped && (!overlapped || operation.overlapped == overlapped);
  };
  const std::lock_guard lock(mutex_);
  if (closed_) return ERROR_INVALID_HANDLE;
  const bool received = abort(receive_, match);
  const bool sent = abort(send_, match);
  return received || sent ? NO_ERROR : ERROR_NOT_FOUND;
}

void Socket::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  const auto all = [](const Operation&) { return true; };
  abort(receive_, all);
  abort(send_, all);
  for (BlockedCall* call = blocked_; call; call = call->next()) call->wake();   // accept and connect
}

DWORD Socket::associate(Ref<Port> port, ULONG_PTR key) {
  const std::lock_guard lock(mutex_);
  if (closed_) return ERROR_INVALID_HANDLE;
  if (!overlapped_) return ERROR_INVALID_PARAMETER;   // created without WSA_FLAG_OVERLAPPED
  if (port_) return ERROR_INVALID_PARAMETER;          // a socket keeps its port
  if (!port->watch(fd_, handle())) return ERROR_NO_SYSTEM_RESOURCES;
  // epoll reports at once what is ready now; the polling thread then waits for this socket's lock.
  port_ = std::move(port);
  key_ = key;
  return NO_ERROR;
}

DWORD Socket::skip_packets_on_success() {
  const std::lock_guard lock(mutex_);
  skip_packets_ = true;
  return NO_ERROR;
}

}  // namespace win32_linux
