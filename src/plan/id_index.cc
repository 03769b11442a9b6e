#include "plan/id_index.h"

#include <bit>
#include <functional>
#include <limits>
#include <stdexcept>

namespace sparky::plan {
namespace {

uint32_t hash_of(std::string_view id) { return uint32_t(std::hash<std::string_view>{}(id)); }

}  // namespace

std::string_view IdIndex::name(uint32_t number) const {
  size_t from = number == 0 ? 0 : ends_[number - 1];
  return std::string_view(names_).substr(from, ends_[number] - from);
}

size_t IdIndex::place(std::string_view id, uint32_t hash) const {
  size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    auto& slot = slots_[at];
    if (slot.number == none || (slot.hash == hash && name(slot.number) == id)) return at;
  }
}

void IdIndex::spread(size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  size_t mask = slots - 1;
  for (auto& slot : old) {
    if (slot.number == none) continue;
    size_t at = slot.hash & mask;
    while (slots_[at].number != none) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

void IdIndex::reserve(size_t count) {
  ends_.reserve(count);
  if (auto slots = std::bit_ceil(count + count / 2 + 1); slots > slots_.size()) spread(slots);
}

std::pair<uint32_t, bool> IdIndex::add(std::string_view id) {
  if (3 * (size() + 1) > 2 * slots_.size()) spread(std::max<size_t>(16, 2 * slots_.size()));
  auto hash = hash_of(id);
  auto& slot = slots_[place(id, hash)];
  if (slot.number != none) return {slot.number, false};
  if (names_.size() + id.size() > std::numeric_limits<uint32_t>::max()) throw std::length_error("ids of 4 GiB");
  slot = {hash, uint32_t(size())};
  names_ += id;
  ends_.push_back(uint32_t(names_.size()));
  return {slot.number, true};
}

uint32_t IdIndex::find(std::string_view id) const {
  return slots_.empty() ? none : slots_[place(id, hash_of(id))].number;
}

}  // namespace sparky::plan
