#include "base/hash.h"

#include <openssl/evp.h>

#include <memory>
#include <new>

namespace sparky {

Digest sha256(std::span<const std::string_view> parts) {
  // Finding the algorithm and making a context cost more than hashing a record does.
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  thread_local std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!algorithm || !context) throw std::bad_alloc();
  Digest out{};
  unsigned length = 0;
  EVP_DigestInit_ex(context.get(), algorithm, nullptr);
  for (auto part : parts) EVP_DigestUpdate(context.get(), part.data(), part.size());
  EVP_DigestFinal_ex(context.get(), out.data(), &length);
  return out;
}

Digest sha256(std::string_view bytes) { return sha256(std::span(&bytes, 1)); }

std::string hex(std::span<const uint8_t> bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (auto b : bytes) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

}  // namespace sparky
