// Error: the one value for what can fail. Functions that can fail return Result<T>.
#pragma once
#include <expected>
#include <string>
#include <utility>

namespace sparky {

enum class Errc {
  invalid,      // the input is wrong; the message says where and what would be right
  not_found,    // what was asked for does not exist
  exists,       // refused, because it would overwrite
  busy,         // held by somebody else; try later
  denied,       // not allowed
  unavailable,  // this machine or a peer cannot do it (now)
  corrupt,      // stored data fails its checks
  io,           // the operating system refused; the message carries errno's text
  full,         // no space left
  cancelled,
  internal,  // a bug in Sparky
};

struct Error {
  Errc code = Errc::internal;
  std::string message;  // what is wrong, with file:line:col or the field where there is one
  std::string help;     // what to do next; may be empty

  bool is(Errc c) const { return code == c; }
  // "message" or "message (help: …)", for logs.
  std::string text() const { return help.empty() ? message : message + " (help: " + help + ")"; }
};

template <class T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

inline std::unexpected<Error> fail(Errc code, std::string message, std::string help = {}) {
  return std::unexpected<Error>(Error{code, std::move(message), std::move(help)});
}
// An io error (or full/denied/not_found, by errno) with "what: strerror".
std::unexpected<Error> fail_errno(int err, std::string what, std::string help = {});

// Returns early with the error of EXPR; for Status and Result alike.
#define SPARKY_TRY(expr)                                                                                 \
  do {                                                                                                   \
    if (auto sparky_try_ = (expr); !sparky_try_) return std::unexpected(std::move(sparky_try_).error()); \
  } while (0)
// SPARKY_ASSIGN(auto x, expr): x is the value, or the error is returned.
#define SPARKY_CAT2(a, b) a##b
#define SPARKY_CAT(a, b) SPARKY_CAT2(a, b)
#define SPARKY_ASSIGN(decl, expr)                                                                                   \
  auto SPARKY_CAT(sparky_r_, __LINE__) = (expr);                                                                    \
  if (!SPARKY_CAT(sparky_r_, __LINE__)) return std::unexpected(std::move(SPARKY_CAT(sparky_r_, __LINE__)).error()); \
  decl = std::move(*SPARKY_CAT(sparky_r_, __LINE__))

}  // namespace sparky
