#include "cli/door.h"

#include "base/files.h"
#include "cli/cli.h"
#include "conductor/conductor.h"
#include "journal/lock.h"
#include "studio/answers.h"
#include "studio/sprite_process.h"
#include "telemetry/hardware.h"
#include "wire/address.h"

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
  auto project = find_project(context.project);
  return conductor::open_door(project, {facts.begin(), facts.end()}, studio_answers(project));
}

std::function<wire::Reply(const wire::Request&)> studio_answers(const std::filesystem::path& project) {
  auto folders = studio::model_folders();
  folders.push_back(project / "models");
  return [answers = std::make_shared<studio::Answers>(project, std::move(folders))](const wire::Request& request) {
    return (*answers)(request);
  };
}

}  // namespace sparky::cli
