// Wrong: a free operation keeps its connection until it is acquired the next time.
#include "pool.h"

#include <stdio.h>

#include <atomic>
#include <mutex>

namespace lab {

/* one block: the operation first, our own fields behind it */
struct block : OverlappedEx {
	struct block *next;
	int out;
};

struct OperationPool::State {
	PoolPolicy policy;
	std::mutex grow;         /* held by the one thread that makes a slab */
	std::mutex lock;         /* protects all below */
	struct block *slab[48];  /* slab[i] has count[i] blocks; they never move */
	size_t count[48];
	int slabs;
	struct block *first;     /* free list */
	PoolStats st;

	~State()
	{
		for (int i = 0; i < slabs; i++)
			delete[] slab[i];
	}
	void add_slab(size_t n);
	struct block *find(const void *p);
	struct block *pop();
};

void OperationPool::State::add_slab(size_t n)
{
	struct block *b = new block[n]; /* not under the lock */
	size_t i;

	for (i = 0; i < n; i++) {
		b[i].out = 0;
		b[i].next = i + 1 < n ? &b[i + 1] : NULL;
	}
	std::lock_guard<std::mutex> guard(lock);
	b[n - 1].next = first;
	first = b;
	slab[slabs] = b;
	count[slabs] = n;
	slabs++;
	st.capacity += n;
}

/* by the address alone: *p may be anything */
struct block *OperationPool::State::find(const void *p)
{
	for (int i = 0; i < slabs; i++) {
		size_t diff = (size_t)((uintptr_t)p - (uintptr_t)slab[i]);
		if (diff < count[i] * sizeof(struct block))
			return diff % sizeof(struct block) == 0 ? slab[i] + diff / sizeof(struct block) : NULL;
	}
	return NULL;
}

struct block *OperationPool::State::pop()
{
	struct block *b = first;

	if (b == NULL)
		return NULL;
	first = b->next;
	b->out = 1;
	st.acquired++;
	st.in_use++;
	if (st.in_use > st.high_water)
		st.high_water = st.in_use;
	return b;
}

OperationPool::OperationPool(std::size_t blocks, PoolPolicy policy) : state_(new State())
{
	state_->policy = policy;
	state_->add_slab(blocks > 0 ? blocks : 1);
}

OperationPool::~OperationPool()
{
	size_t n = in_use();

	if (n == 0)
		return;
	fprintf(stderr, "pool: %zu operations are out\n", n);
	(void)state_.release(); /* the system may write into them */
}

OverlappedEx* OperationPool::acquire(OpKind kind)
{
	State *s = state_.get();
	struct block *b;

	s->lock.lock();
	b = s->pop();
	if (b == NULL && s->policy == PoolPolicy::bounded) {
		s->st.exhausted++;
		s->lock.unlock();
		return NULL;
	}
	s->lock.unlock();
	while (b == NULL) {
		std::lock_guard<std::mutex> one(s->grow);
		s->lock.lock();
		b = s->pop(); /* another thread may have grown it */
		size_t n = s->st.capacity;
		s->lock.unlock();
		if (b == NULL)
			s->add_slab(n);
	}
	ZeroMemory(&b->overlapped, sizeof b->overlapped);
	b->connection.reset(); /* of the last one */
	b->kind = kind;
	b->wsabuf.buf = b->buffer;
	b->wsabuf.len = kBufferSize;
	return b;
}

bool OperationPool::release(OverlappedEx* op)
{
	State *s = state_.get();
	struct block *b;

	s->lock.lock();
	b = s->find(op);
	if (b == NULL || !b->out) {
		s->st.bad_releases++;
		s->lock.unlock();
		return false;
	}
	b->out = 0;
	b->next = s->first;
	s->first = b;
	s->st.in_use--;
	s->lock.unlock();
	return true;
}

std::size_t OperationPool::in_use() const
{
	std::lock_guard<std::mutex> guard(state_->lock);
	return state_->st.in_use;
}

PoolStats OperationPool::stats() const
{
	std::lock_guard<std::mutex> guard(state_->lock);
	return state_->st;
}

}  // namespace lab
