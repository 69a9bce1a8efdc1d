#include "thread_end.h"

#include <utility>
#include <vector>

#include "win32.h"

namespace test {
namespace {

using List = std::vector<std::function<void()>>;

void run(List* list) {
  for (const auto& leave : *list) leave();
  delete list;
}

}  // namespace

#ifdef _WIN32

void at_thread_end(std::function<void()> leave) {
  static const DWORD slot = ::FlsAlloc([](void* list) { run(static_cast<List*>(list)); });
  auto* list = static_cast<List*>(::FlsGetValue(slot));
  if (list == nullptr) ::FlsSetValue(slot, list = new List);
  list->push_back(std::move(leave));
}

#else

void at_thread_end(std::function<void()> leave) {
  struct Owner {
    List* list = new List;
    ~Owner() { run(list); }
  };
  thread_local Owner owner;
  owner.list->push_back(std::move(leave));
}

#endif

}  // namespace test
