// The interlocked list, and the console handler that Ctrl+C calls.
#include "net.h"

#include <atomic>
#include <csignal>

namespace {

using namespace net;

struct alignas(16) Item {   // MEMORY_ALLOCATION_ALIGNMENT
  SLIST_ENTRY entry;        // first: the list hands out its address
  std::atomic<int> owners{0};
};

Item* item_of(SLIST_ENTRY* entry) { return reinterpret_cast<Item*>(entry); }

struct alignas(16) List {
  SLIST_HEADER head;
  List() { ::InitializeSListHead(&head); }
};

TEST(InterlockedList, StartsEmpty) {
  List list;
  EXPECT_EQ(::QueryDepthSList(&list.head), 0);
  EXPECT_EQ(::InterlockedPopEntrySList(&list.head), nullptr);
  EXPECT_EQ(::InterlockedFlushSList(&list.head), nullptr);
}

TEST(InterlockedList, TheLastInIsTheFirstOut) {
  List list;
  std::vector<Item> items(3);
  EXPECT_EQ(::InterlockedPushEntrySList(&list.head, &items[0].entry), nullptr);   // the one that was first before
  EXPECT_EQ(::InterlockedPushEntrySList(&list.head, &items[1].entry), &items[0].entry);
  EXPECT_EQ(::InterlockedPushEntrySList(&list.head, &items[2].entry), &items[1].entry);
  EXPECT_EQ(::QueryDepthSList(&list.head), 3);
  for (int i = 2; i >= 0; --i) EXPECT_EQ(::InterlockedPopEntrySList(&list.head), &items[static_cast<std::size_t>(i)].entry);
  EXPECT_EQ(::InterlockedPopEntrySList(&list.head), nullptr);
  EXPECT_EQ(::QueryDepthSList(&list.head), 0);
}

TEST(InterlockedList, FlushGivesTheChain) {
  List list;
  std::vector<Item> items(3);
  for (Item& item : items) ::InterlockedPushEntrySList(&list.head, &item.entry);
  SLIST_ENTRY* entry = ::InterlockedFlushSList(&list.head);
  for (int i = 2; i >= 0; --i) {
    ASSERT_EQ(entry, &items[static_cast<std::size_t>(i)].entry);
    entry = entry->Next;
  }
  EXPECT_EQ(entry, nullptr);
  EXPECT_EQ(::QueryDepthSList(&list.head), 0);
}

// Few items and many threads: each item has one owner at any time, and none is lost.
TEST(InterlockedList, FourThreadsNeverShareAnItem) {
  List list;
  std::vector<Item> items(16);
  for (Item& item : items) ::InterlockedPushEntrySList(&list.head, &item.entry);
  std::atomic<int> shared{0};
  {
    std::vector<std::unique_ptr<Blocking>> threads;
    for (int t = 0; t < 4; ++t) {
      threads.push_back(std::make_unique<Blocking>([&] {
        Item* held[3]{};
        for (int i = 0; i < 30000; ++i) {
          Item*& place = held[i % 3];   // several held at once and given back later: the ABA trap
          if (place != nullptr) {
            --place->owners;
            ::InterlockedPushEntrySList(&list.head, &place->entry);
          }
          place = item_of(::InterlockedPopEntrySList(&list.head));
          if (place != nullptr && ++place->owners != 1) ++shared;
        }
        for (Item* item : held) {
          if (item == nullptr) continue;
          --item->owners;
          ::InterlockedPushEntrySList(&list.head, &item->entry);
        }
      }));
    }
  }
  EXPECT_EQ(shared, 0);
  std::set<SLIST_ENTRY*> seen;
  while (SLIST_ENTRY* entry = ::InterlockedPopEntrySList(&list.head)) ASSERT_TRUE(seen.insert(entry).second);
  EXPECT_EQ(seen.size(), items.size());
}

std::atomic<int> first_calls{0};
std::atomic<int> second_calls{0};
std::atomic<DWORD> event_seen{99};

BOOL WINAPI first_handler(DWORD event) {
  ++first_calls;
  event_seen = event;
  return TRUE;
}
BOOL WINAPI second_handler(DWORD) {
  ++second_calls;
  return TRUE;
}
BOOL WINAPI passing_handler(DWORD) {
  ++second_calls;
  return FALSE;
}

TEST(ConsoleHandler, IsAddedAndRemoved) {
  ASSERT_TRUE(::SetConsoleCtrlHandler(first_handler, TRUE));
  EXPECT_TRUE(::SetConsoleCtrlHandler(first_handler, FALSE));
  EXPECT_TRUE(win32_fails(::SetConsoleCtrlHandler(first_handler, FALSE), ERROR_INVALID_PARAMETER));   // no longer there
}

// Sends Ctrl+C to this process and to no other. Used in a child process only.
bool press_ctrl_c() {
#ifdef _WIN32
  ::FreeConsole();   // away from the console that the test runner shares
  return ::AllocConsole() && ::GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
#else
  return std::raise(SIGINT) == 0;
#endif
}

// Each runs in a child process that ends with 42 if all was right.
[[noreturn]] void finish(bool right) { std::_Exit(right ? 42 : 1); }

void one_handler() {
  ::SetConsoleCtrlHandler(first_handler, TRUE);
  finish(press_ctrl_c() && within_wait([] { return first_calls == 1; }) && event_seen == CTRL_C_EVENT);
}

void the_last_added_comes_first() {
  ::SetConsoleCtrlHandler(second_handler, TRUE);
  ::SetConsoleCtrlHandler(first_handler, TRUE);
  finish(press_ctrl_c() && within_wait([] { return first_calls == 1; }) && second_calls == 0);
}

void one_that_says_false_passes_it_on() {
  ::SetConsoleCtrlHandler(first_handler, TRUE);
  ::SetConsoleCtrlHandler(passing_handler, TRUE);
  finish(press_ctrl_c() && within_wait([] { return first_calls == 1; }) && second_calls == 1);
}

void the_program_goes_on() {
  ::SetConsoleCtrlHandler(first_handler, TRUE);
  finish(press_ctrl_c() && within_wait([] { return first_calls == 1; }) && press_ctrl_c() && within_wait([] { return first_calls == 2; }));
}

class ConsoleEvent : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }   // the child starts afresh
};

TEST_F(ConsoleEvent, CallsTheHandler) { EXPECT_EXIT(one_handler(), ::testing::ExitedWithCode(42), ""); }
TEST_F(ConsoleEvent, CallsTheLastAddedFirst) { EXPECT_EXIT(the_last_added_comes_first(), ::testing::ExitedWithCode(42), ""); }
TEST_F(ConsoleEvent, GoesOnToTheNextAfterFalse) { EXPECT_EXIT(one_that_says_false_passes_it_on(), ::testing::ExitedWithCode(42), ""); }
TEST_F(ConsoleEvent, CanComeTwice) { EXPECT_EXIT(the_program_goes_on(), ::testing::ExitedWithCode(42), ""); }

}  // namespace
