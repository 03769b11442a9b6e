#include "studio/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"

namespace sparky::studio {
namespace {

struct DtypeFacts {
  Dtype dtype;
  std::string_view name;
  size_t bytes;
};
constexpr std::array<DtypeFacts, 10> kDtypes{{{Dtype::f64, "F64", 8},
                                              {Dtype::f32, "F32", 4},
                                              {Dtype::f16, "F16", 2},
                                              {Dtype::bf16, "BF16", 2},
                                              {Dtype::i64, "I64", 8},
                                              {Dtype::i32, "I32", 4},
                                              {Dtype::i16, "I16", 2},
                                              {Dtype::i8, "I8", 1},
                                              {Dtype::u8, "U8", 1},
                                              {Dtype::boolean, "BOOL", 1}}};
constexpr size_t kMaxHeader = 100u << 20;
constexpr int kMaxDimensions = 8;

std::unexpected<Error> damaged(std::string what) {
  return fail(Errc::corrupt, "not a sound safetensors file: " + what, "get or make the file again");
}

Result<uint64_t> whole_number(const Json& j, std::string_view tensor, std::string_view field) {
  if (!j.is_number_unsigned())
    return damaged(fmt::format("tensor '{}': {} must hold whole numbers ≥ 0", tensor, field));
  return j.get<uint64_t>();
}

Result<TensorEntry> parse_entry(const std::string& key, const Json& j, size_t data_bytes) {
  if (!j.is_object()) return damaged(fmt::format("tensor '{}' must be an object", key));
  for (auto field : {"dtype", "shape", "data_offsets"}) {
    if (!j.contains(field)) return damaged(fmt::format("tensor '{}' has no '{}'", key, field));
  }
  TensorEntry t;
  auto dtype = std::ranges::find_if(kDtypes, [&](const auto& d) { return j["dtype"] == d.name; });
  if (dtype == kDtypes.end()) return damaged(fmt::format("tensor '{}' has an unknown dtype", key));
  t.dtype = dtype->dtype;
  const auto& shape = j["shape"];
  if (!shape.is_array() || shape.size() > kMaxDimensions) {
    return damaged(fmt::format("tensor '{}': shape must be a list of at most {} numbers", key, kMaxDimensions));
  }
  uint64_t elements = 1;
  for (const auto& d : shape) {
    SPARKY_ASSIGN(uint64_t n, whole_number(d, key, "shape"));
    if (__builtin_mul_overflow(elements, n, &elements) || n > uint64_t(INT64_MAX) || elements > (uint64_t(1) << 48)) {
      return damaged(fmt::format("tensor '{}': its shape is beyond any memory", key));
    }
    t.shape.push_back(int64_t(n));
  }
  const auto& offsets = j["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2) {
    return damaged(fmt::format("tensor '{}': data_offsets must be two numbers", key));
  }
  SPARKY_ASSIGN(uint64_t begin, whole_number(offsets[0], key, "data_offsets"));
  SPARKY_ASSIGN(uint64_t end, whole_number(offsets[1], key, "data_offsets"));
  if (begin > end || end > data_bytes) {
    return damaged(
        fmt::format("tensor '{}': bytes {}…{} lie outside the {} bytes of data", key, begin, end, data_bytes));
  }
  if (end - begin != elements * dtype->bytes) {
    return damaged(fmt::format("tensor '{}': its shape needs {} bytes, its offsets span {}", key,
                               elements * dtype->bytes, end - begin));
  }
  t.offset = begin;
  t.bytes = end - begin;
  return t;
}

// The data must be covered exactly once: no tensor over another, nothing hidden between.
Status check_cover(const SafeTensors& st) {
  std::vector<std::pair<size_t, const std::string*>> order;
  for (const auto& [key, t] : st.tensors) order.emplace_back(t.offset, &key);
  std::ranges::sort(order, [&](const auto& a, const auto& b) {
    return std::pair(a.first, st.tensors.at(*a.second).bytes) < std::pair(b.first, st.tensors.at(*b.second).bytes);
  });
  size_t at = 0;
  for (const auto& [offset, key] : order) {
    if (offset < at) return damaged(fmt::format("tensor '{}' overlaps another", *key));
    if (offset > at) return damaged(fmt::format("{} unused bytes before tensor '{}'", offset - at, *key));
    at = offset + st.tensors.at(*key).bytes;
  }
  if (at != st.data.size()) return damaged(fmt::format("{} bytes left over at the end", st.data.size() - at));
  return {};
}

}  // namespace

size_t byte_size(Dtype dtype) { return kDtypes[size_t(dtype)].bytes; }
std::string_view name(Dtype dtype) { return kDtypes[size_t(dtype)].name; }

int64_t TensorEntry::elements() const {
  int64_t n = 1;
  for (auto d : shape) n *= d;
  return n;
}

void SafeTensors::add(const std::string& key, Dtype dtype, std::vector<int64_t> shape, std::string_view bytes) {
  tensors[key] = {dtype, std::move(shape), data.size(), bytes.size()};
  data += bytes;
}

Result<SafeTensors> parse_safetensors(std::string bytes) {
  if (bytes.size() < 8) return damaged(fmt::format("{} bytes are too few", bytes.size()));
  uint64_t header = 0;
  for (int i = 7; i >= 0; --i) header = header << 8 | uint8_t(bytes[size_t(i)]);
  if (header > kMaxHeader || header > bytes.size() - 8) {
    return damaged(fmt::format("its header claims {} bytes, the file has {}", header, bytes.size() - 8));
  }
  auto json = parse_json(std::string_view(bytes).substr(8, header), {.bytes = kMaxHeader, .depth = 8});
  if (!json) return damaged("its header is not JSON: " + json.error().message);
  if (!json->is_object()) return damaged("its header is not an object");
  SafeTensors out;
  out.data = bytes.substr(8 + header);
  bytes = {};
  for (const auto& [key, value] : json->items()) {
    if (key == "__metadata__") {
      if (!value.is_object()) return damaged("__metadata__ must be an object of strings");
      for (const auto& [k, v] : value.items()) {
        if (!v.is_string()) return damaged(fmt::format("__metadata__.{} must be a string", k));
        out.metadata[k] = v.get<std::string>();
      }
      continue;
    }
    SPARKY_ASSIGN(out.tensors[key], parse_entry(key, value, out.data.size()));
  }
  SPARKY_TRY(check_cover(out));
  return out;
}

Result<SafeTensors> read_safetensors(const std::filesystem::path& path, size_t max_bytes) {
  SPARKY_ASSIGN(std::string bytes, read_file(path, max_bytes));
  auto parsed = parse_safetensors(std::move(bytes));
  if (!parsed) {
    return fail(parsed.error().code, fmt::format("{}: {}", path.string(), parsed.error().message), parsed.error().help);
  }
  return parsed;
}

std::string to_bytes(const SafeTensors& st) {
  Json header = Json::object();
  if (!st.metadata.empty()) header["__metadata__"] = st.metadata;
  size_t at = 0;
  std::string data;
  data.reserve(st.data.size());
  for (const auto& [key, t] : st.tensors) {
    header[key] = {{"dtype", name(t.dtype)}, {"shape", t.shape}, {"data_offsets", {at, at + t.bytes}}};
    data += st.bytes(t);
    at += t.bytes;
  }
  std::string text = json_text(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) out[size_t(i)] = char(uint64_t(text.size()) >> (8 * i));
  return out + text + data;
}

}  // namespace sparky::studio
