#include "plan/id_index.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

namespace sparky::plan {
namespace {

RC_GTEST_PROP(IdIndex, KnowsWhatCameAndNumbersItInOrder, ()) {
  // Few different ids, so that they come again; some of them long, and one empty.
  auto ids = *rc::gen::container<std::vector<std::string>>(rc::gen::map(rc::gen::inRange(0, 200), [](int n) {
    return n == 0 ? std::string() : std::string(size_t(n % 40), 'x') + std::to_string(n);
  }));
  IdIndex index;
  if (*rc::gen::arbitrary<bool>()) index.reserve(ids.size());
  std::map<std::string, uint32_t> numbers;
  for (auto& id : ids) {
    bool known = numbers.contains(id);
    auto expected = numbers.try_emplace(id, uint32_t(numbers.size())).first->second;
    RC_ASSERT(index.add(id) == std::pair(expected, !known));
  }
  RC_ASSERT(index.size() == numbers.size());
  for (auto& [id, number] : numbers) {
    RC_ASSERT(index.find(id) == number);
    RC_ASSERT(index.name(number) == id);
  }
  RC_ASSERT(index.find("never") == IdIndex::none);
}

TEST(IdIndex, AnEmptyOneKnowsNothing) { EXPECT_EQ(IdIndex().find("a"), IdIndex::none); }

}  // namespace
}  // namespace sparky::plan
