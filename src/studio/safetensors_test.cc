#include "studio/safetensors.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace sparky::studio {
namespace {

SafeTensors two() {
  SafeTensors s;
  s.metadata = {{"format", "test"}};
  s.add("a", Dtype::f32, {2, 3}, std::string(24, 'x'));
  s.add("b", Dtype::f16, {}, "yz");
  return s;
}

// A file with this header over `data` bytes of data.
std::string with_header(std::string header, size_t data) {
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) out[size_t(i)] = char(uint64_t(header.size()) >> (8 * i));
  return out + header + std::string(data, 'd');
}

TEST(SafeTensors, WrittenReadsBack) {
  auto bytes = to_bytes(two());
  auto back = parse_safetensors(bytes);
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->metadata.at("format"), "test");
  EXPECT_EQ(back->tensors.at("a").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(back->bytes(back->tensors.at("a")), std::string(24, 'x'));
  EXPECT_EQ(back->bytes(back->tensors.at("b")), "yz");
  EXPECT_EQ(to_bytes(*back), bytes);
}

struct Damaged {
  std::string header;
  size_t data;
  std::string message;
};
class Refused : public testing::TestWithParam<Damaged> {};

TEST_P(Refused, WithTheReason) {
  auto r = parse_safetensors(with_header(GetParam().header, GetParam().data));
  ASSERT_FALSE(r);
  EXPECT_TRUE(r.error().is(Errc::corrupt));
  EXPECT_NE(r.error().message.find(GetParam().message), std::string::npos) << r.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    SafeTensors, Refused,
    testing::Values(
        Damaged{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "its shape needs 8 bytes"},
        Damaged{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "lie outside the 4 bytes"},
        Damaged{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})", 8, "lie outside"},
        Damaged{R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "whole numbers"},
        Damaged{R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}})", 0,
                "beyond any memory"},
        Damaged{R"({"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})", 4, "unknown dtype"},
        Damaged{R"({"a":{"dtype":"F32","shape":[1]}})", 4, "has no 'data_offsets'"},
        Damaged{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 6, "2 bytes left over"},
        Damaged{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})", 6, "2 unused bytes before"},
        Damaged{
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})",
            5, "overlaps"},
        Damaged{R"({"__metadata__":{"a":1}})", 0, "__metadata__.a must be a string"}, Damaged{"[]", 0, "not an object"},
        Damaged{"{", 0, "not JSON"}));

TEST(SafeTensors, HeaderLongerThanTheFile) {
  std::string bytes = with_header("{}", 0);
  bytes[6] = 1;
  auto r = parse_safetensors(bytes);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("its header claims"), std::string::npos);
  EXPECT_FALSE(parse_safetensors("1234567"));
}

RC_GTEST_PROP(SafeTensors, AnyChangedByteIsReadSafely, ()) {
  auto bytes = to_bytes(two());
  auto at = *rc::gen::inRange<size_t>(0, bytes.size());
  bytes[at] = *rc::gen::arbitrary<char>();
  bytes.resize(*rc::gen::inRange<size_t>(0, bytes.size() + 1));
  if (auto r = parse_safetensors(bytes)) {
    for (const auto& [name, t] : r->tensors) RC_ASSERT(r->bytes(t).size() == size_t(t.elements()) * byte_size(t.dtype));
  }
}

}  // namespace
}  // namespace sparky::studio
