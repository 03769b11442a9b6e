#include "cli/door.h"

#include "base/files.h"
#include "cli/cli.h"
#include "conductor/conductor.h"
#include "journal/lock.h"
#include "telemetry/hardware.h"
#include "wire/address.h"
#include "wire/client.h"

namespace sparky::cli {

Result<wire::Client> connect(const Context& context) {
  auto project = find_project(context.project);
  // Without this, nobody's answer would be waited for.
  if (journal::ProjectLock::holder(project / ".sparky").empty())
    return fail(Errc::unavailable, "no Sparky is running in " + project.string());
  return wire::Client::connect(wire::project_address(project, "sock"), Duration(2'000));
}

Result<std::unique_ptr<wire::Door>> open_door(const Context& context) {
  auto facts = telemetry::facts();
  return conductor::open_door(find_project(context.project), {facts.begin(), facts.end()});
}

}  // namespace sparky::cli
