#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace sparky {

std::unexpected<Error> fail_errno(int err, std::string what, std::string help) {
  Errc code = Errc::io;
  if (err == ENOSPC || err == EDQUOT) code = Errc::full;
  if (err == EACCES || err == EPERM) code = Errc::denied;
  if (err == ENOENT) code = Errc::not_found;
  if (err == EEXIST) code = Errc::exists;
  return fail(code, std::move(what) + ": " + std::generic_category().message(err), std::move(help));
}

}  // namespace sparky
