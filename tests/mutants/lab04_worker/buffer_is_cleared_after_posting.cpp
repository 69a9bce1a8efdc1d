// Wrong: the buffer is cleared for the next message after the receive has been posted, when it is the system's already.
#include "worker.h"

#include <string.h>

namespace lab {

void disconnect(Server& server, const std::shared_ptr<Connection>& connection, const char* why)
{
	if (!connection->close())
		return; /* another thread was faster */
	(void)server.clients.erase(connection->id);
	server.handler.on_disconnect(server, connection, why);
}

bool send_bytes(Server& server, const std::shared_ptr<Connection>& connection, const char* data, size_t size)
{
	const char *why;

	/* would it be more than the limit? (exactly the limit is allowed) */
	if (connection->bytes_in_flight.load() + size > server.max_bytes_in_flight) {
		why = "slow reader";
		goto fail;
	}
	if (!post_send(server.operations, connection, data, size)) {
		why = "WSASend failed";
		goto fail;
	}
	return true;
fail:
	disconnect(server, connection, why);
	return false;
}

void handle_completion(Server& server, OverlappedEx* op, bool ok, DWORD bytes)
{
	std::shared_ptr<Connection> conn = op->connection;
	const char *why = NULL;

	switch (op->kind) {
	case OpKind::recv:
		if (!ok) {
			why = "recv failed";
			break;
		}
		if (bytes == 0) {
			why = "peer closed";
			break;
		}
		if (!server.handler.on_recv(server, conn, op->buffer, bytes)) {
			why = "handler said no";
			break;
		}
		if (post_recv(op)) {
			memset(op->buffer, 0, sizeof op->buffer); /* clean for the next message */
			return;
		}
		why = "cannot post recv";
		break;
	case OpKind::send:
		conn->bytes_in_flight -= op->wsabuf.len;
		if (!ok)
			why = "send failed";
		else if (bytes < op->wsabuf.len)
			why = "short send";
		else
			server.handler.on_sent(server, conn, bytes);
		break;
	}
	if (why != NULL)
		disconnect(server, conn, why);
	server.operations.release(op);
}

void worker_loop(Server& server)
{
	DWORD n;
	ULONG_PTR key;
	LPOVERLAPPED ov;
	BOOL ok;

	for (;;) {
		n = 0;
		key = 0;
		ov = NULL;
		ok = GetQueuedCompletionStatus(server.port, &n, &key, &ov, INFINITE);
		if (ov == NULL) {
			if (!ok && GetLastError() == WAIT_TIMEOUT)
				continue;
			if (ok && key != kQuitKey)
				continue;
			return; /* quit packet, or the port is closed */
		}
		handle_completion(server, operation_from(ov), ok != FALSE, n);
	}
}

static void thread_main(Server *server)
{
	worker_loop(*server);
}

std::vector<std::thread> start_workers(Server& server, unsigned count)
{
	std::vector<std::thread> v;
	unsigned i;

	for (i = 0; i < count; i++)
		v.push_back(std::thread(thread_main, &server));
	return v;
}

void stop_workers(Server& server, std::vector<std::thread>& workers)
{
	size_t i, n = workers.size();

	for (i = 0; i < n; i++)
		while (!PostQueuedCompletionStatus(server.port, 0, kQuitKey, NULL)) std::this_thread::yield();
	for (i = 0; i < n; i++)
		workers[i].join();
	workers.clear();
}

}  // namespace lab
