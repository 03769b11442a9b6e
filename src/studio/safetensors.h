// safetensors: the file format that weights are kept in (https://github.com/huggingface/safetensors#format).
// Eight bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}}, then the data.
// Reading is strict, because such files come from strangers: every length, shape and offset is checked before use.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sparky::studio {

enum class Dtype { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };
size_t byte_size(Dtype dtype);
std::string_view name(Dtype dtype);  // "F32"

struct TensorEntry {
  Dtype dtype = Dtype::f32;
  std::vector<int64_t> shape;    // every dimension ≥ 0; empty: a scalar
  size_t offset = 0, bytes = 0;  // within SafeTensors::data
  int64_t elements() const;
};

struct SafeTensors {
  std::map<std::string, TensorEntry> tensors;
  std::map<std::string, std::string> metadata;  // the header's __metadata__
  std::string data;

  std::string_view bytes(const TensorEntry& t) const { return std::string_view(data).substr(t.offset, t.bytes); }
  void add(const std::string& name, Dtype dtype, std::vector<int64_t> shape, std::string_view bytes);
};

// Errc::corrupt, with the tensor's name and what is wrong, for anything that breaks the format: a header longer than
// the file or 100 MB, unknown dtypes, sizes that do not match shapes, overlapping tensors, gaps, bytes left over.
Result<SafeTensors> parse_safetensors(std::string bytes);
Result<SafeTensors> read_safetensors(const std::filesystem::path& path, size_t max_bytes = size_t(2) << 30);
std::string to_bytes(const SafeTensors& tensors);  // tensors in order of name, header padded to 8 bytes

}  // namespace sparky::studio
