#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace sparky {
namespace {

// Builds the document as the library's own handler does, but stops at the limits.
class LimitedBuilder : public nlohmann::json_sax<Json> {
 public:
  LimitedBuilder(Json& root, DecodeLimits limits) : root_(root), limits_(limits) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool v) override { return put(v); }
  bool number_integer(number_integer_t v) override { return put(v); }
  bool number_unsigned(number_unsigned_t v) override { return put(v); }
  bool number_float(number_float_t v, const string_t&) override { return put(v); }
  bool string(string_t& v) override { return put(std::move(v)); }
  bool binary(binary_t& v) override { return put(Json::binary(std::move(v))); }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& v) override {
    if (open_.back()->contains(v)) {
      why = fmt::format("the key \"{}\" occurs twice", v);
      return false;
    }
    key_ = std::move(v);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    at = position;
    why = e.what();
    return false;
  }

  std::string why;
  size_t at = 0;

 private:
  Json* add(Json&& value) {
    if (++values_ > limits_.values) {
      why = fmt::format("more than {} values", limits_.values);
      return nullptr;
    }
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_array()) return &open_.back()->emplace_back(std::move(value));
    return &((*open_.back())[key_] = std::move(value));
  }
  bool put(Json value) { return add(std::move(value)) != nullptr; }
  bool open(Json value) {
    if (int(open_.size()) >= limits_.depth) {
      why = fmt::format("nested deeper than {}", limits_.depth);
      return false;
    }
    Json* added = add(std::move(value));
    if (added) open_.push_back(added);
    return added != nullptr;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json& root_;
  DecodeLimits limits_;
  std::vector<Json*> open_;
  std::string key_;
  size_t values_ = 0;
};

}  // namespace

Result<Json> parse_json(std::string_view text, DecodeLimits limits) {
  if (text.size() > limits.bytes)
    return fail(Errc::invalid, fmt::format("JSON of {} bytes; the limit is {}", text.size(), limits.bytes));
  Json root;
  LimitedBuilder builder(root, limits);
  if (Json::sax_parse(text.begin(), text.end(), &builder)) return root;
  auto upto = text.substr(0, std::min(builder.at, text.size()));
  auto line = 1 + std::count(upto.begin(), upto.end(), '\n');
  auto column = upto.size() - (upto.rfind('\n') == upto.npos ? 0 : upto.rfind('\n') + 1);
  if (builder.at == 0) return fail(Errc::invalid, "JSON: " + builder.why);
  return fail(Errc::invalid, fmt::format("{}:{}: {}", line, column, builder.why));
}

namespace {

// The library's MessagePack reader recurses before it asks the handler, so depth is checked first, by a walk that
// keeps its own stack of "values still to come". It also refuses lengths that the bytes cannot hold.
Status check_msgpack_shape(std::string_view bytes, DecodeLimits limits) {
  struct Open {
    uint64_t left;
    bool map;  // of which every second value is a key, beginning with the first
  };
  size_t at = 0, values = 0;
  std::vector<Open> pending{{1, false}};
  auto broken = [&](const char* what) { return fail(Errc::invalid, fmt::format("MessagePack byte {}: {}", at, what)); };
  while (!pending.empty()) {
    if (pending.back().left == 0) {
      pending.pop_back();
      continue;
    }
    if (at >= bytes.size()) return broken("unexpected end");
    bool key = pending.back().map && pending.back().left % 2 == 0;
    --pending.back().left;
    if (++values > 2 * limits.values) return broken("too many values");
    auto tag = static_cast<unsigned char>(bytes[at++]);
    bool truncated = false;
    auto length = [&](int width) {
      uint64_t n = 0;
      if (bytes.size() - at < size_t(width)) {
        truncated = true;
        return n;
      }
      for (int i = 0; i < width; ++i) n = n << 8 | static_cast<unsigned char>(bytes[at++]);
      return n;
    };
    bool text = (tag >= 0xa0 && tag <= 0xbf) || (tag >= 0xd9 && tag <= 0xdb);
    if (key && !text) return broken("the key of a map must be a string");
    uint64_t skip = 0, children = 0;
    bool container = false;
    if (tag >= 0x80 && tag <= 0x8f)
      container = true, children = 2u * (tag & 15);
    else if (tag >= 0x90 && tag <= 0x9f)
      container = true, children = tag & 15;
    else if (tag >= 0xa0 && tag <= 0xbf)
      skip = tag & 31;
    else if (tag == 0xc1)
      return broken("0xc1 is never used");
    else if (tag >= 0xc4 && tag <= 0xc6)
      skip = length(1 << (tag - 0xc4));
    else if (tag >= 0xc7 && tag <= 0xc9)
      skip = length(1 << (tag - 0xc7)) + 1;
    else if (tag == 0xca || tag == 0xce || tag == 0xd2)
      skip = 4;
    else if (tag == 0xcb || tag == 0xcf || tag == 0xd3)
      skip = 8;
    else if (tag == 0xcc || tag == 0xd0)
      skip = 1;
    else if (tag == 0xcd || tag == 0xd1)
      skip = 2;
    else if (tag >= 0xd4 && tag <= 0xd8)
      skip = (1u << (tag - 0xd4)) + 1;
    else if (tag >= 0xd9 && tag <= 0xdb)
      skip = length(1 << (tag - 0xd9));
    else if (tag == 0xdc || tag == 0xdd)
      container = true, children = length(tag == 0xdc ? 2 : 4);
    else if (tag == 0xde || tag == 0xdf)
      container = true, children = 2 * length(tag == 0xde ? 2 : 4);
    if (truncated || skip > bytes.size() - at || children > bytes.size() - at) return broken("unexpected end");
    at += skip;
    if (container) {
      if (int(pending.size()) > limits.depth) return broken("nested too deep");
      pending.push_back({children, tag <= 0x8f || tag >= 0xde});
    }
  }
  if (at != bytes.size()) return broken("bytes after the end");
  return {};
}

}  // namespace

Result<Json> parse_msgpack(std::string_view bytes, DecodeLimits limits) {
  if (bytes.size() > limits.bytes)
    return fail(Errc::invalid, fmt::format("MessagePack of {} bytes; the limit is {}", bytes.size(), limits.bytes));
  SPARKY_TRY(check_msgpack_shape(bytes, limits));
  Json root;
  LimitedBuilder builder(root, limits);
  if (Json::sax_parse(bytes.begin(), bytes.end(), &builder, Json::input_format_t::msgpack)) return root;
  return fail(Errc::invalid, "MessagePack: " + builder.why);
}

std::string to_msgpack(const Json& value) {
  std::string out;
  Json::to_msgpack(value, nlohmann::detail::output_adapter<char>(out));
  return out;
}

std::string json_text(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sparky
