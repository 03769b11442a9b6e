// IdIndex: ids and their numbers, for plans of a million workstreams: 8 bytes a slot and the ids' bytes in one string,
// instead of a node, a string and a pointer for each.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sparky::plan {

class IdIndex {
 public:
  static constexpr uint32_t none = ~uint32_t{0};

  void reserve(size_t count);
  // The id's number, from 0 in the order in which they came, and whether it is new.
  std::pair<uint32_t, bool> add(std::string_view id);
  uint32_t find(std::string_view id) const;  // none: unknown
  size_t size() const { return ends_.size(); }
  std::string_view name(uint32_t number) const;

 private:
  struct Slot {
    uint32_t hash = 0, number = none;
  };
  size_t place(std::string_view id, uint32_t hash) const;  // the slot that has it, or the free one where it belongs
  void spread(size_t slots);

  std::vector<Slot> slots_;  // open addressing; a power of two, at most two thirds full
  std::vector<uint32_t> ends_;
  std::string names_;
};

}  // namespace sparky::plan
