// Wrong: release asks the operation itself whose it is; a foreign one has no such member behind it.
#include "pool.h"

#include <stdio.h>

#include <mutex>
#include <vector>

namespace lab {

/* our own block: an operation, and whose it is */
struct PoolBlock : OverlappedEx {
	const void *owner = NULL;
	bool is_out = false;
};

struct OperationPool::State {
	PoolPolicy policy;
	std::mutex mutex, grow_mutex;
	std::vector<std::unique_ptr<PoolBlock[]>> slabs;
	std::vector<PoolBlock *> free_blocks;
	PoolStats stats;

	void add(size_t n)
	{
		std::unique_ptr<PoolBlock[]> slab(new PoolBlock[n]);
		std::lock_guard<std::mutex> guard(mutex);
		free_blocks.reserve(stats.capacity + n);
		for (size_t i = 0; i < n; i++) {
			slab[i].owner = this;
			free_blocks.push_back(&slab[i]);
		}
		slabs.push_back(std::move(slab));
		stats.capacity += n;
	}
};

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(new State())
{
	state_->policy = policy;
	state_->add(blocks ? blocks : 1);
}

OperationPool::~OperationPool()
{
	if (in_use() != 0) {
		fprintf(stderr, "%zu operations are out\n", in_use());
		(void)state_.release();
	}
}

OverlappedEx* OperationPool::acquire(OpKind kind)
{
	PoolBlock *block = NULL;
	while (block == NULL) {
		size_t capacity;
		{
			std::lock_guard<std::mutex> guard(state_->mutex);
			capacity = state_->stats.capacity;
			if (!state_->free_blocks.empty()) {
				block = state_->free_blocks.back();
				state_->free_blocks.pop_back();
				block->is_out = true;
				state_->stats.acquired++;
				if (++state_->stats.in_use > state_->stats.high_water)
					state_->stats.high_water = state_->stats.in_use;
				break;
			}
			if (state_->policy == PoolPolicy::bounded) {
				state_->stats.exhausted++;
				return NULL;
			}
		}
		std::lock_guard<std::mutex> one(state_->grow_mutex);
		if (stats().capacity == capacity)
			state_->add(capacity);
	}
	block->overlapped = OVERLAPPED{};
	block->kind = kind;
	block->wsabuf.len = kBufferSize;
	block->wsabuf.buf = block->buffer;
	return block;
}

bool OperationPool::release(OverlappedEx* op)
{
	std::shared_ptr<Connection> connection;
	std::lock_guard<std::mutex> guard(state_->mutex);
	PoolBlock *block = static_cast<PoolBlock *>(op);
	/* is it ours, and is it out? */
	if (block == NULL || block->owner != state_.get() || !block->is_out) {
		state_->stats.bad_releases++;
		return false;
	}
	block->is_out = false;
	connection.swap(block->connection);
	state_->free_blocks.push_back(block);
	state_->stats.in_use--;
	return true;
}

std::size_t OperationPool::in_use() const
{
	std::lock_guard<std::mutex> guard(state_->mutex);
	return state_->stats.in_use;
}

PoolStats OperationPool::stats() const
{
	std::lock_guard<std::mutex> guard(state_->mutex);
	return state_->stats;
}

}  // namespace lab
