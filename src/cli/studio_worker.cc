#include "cli/studio_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "conductor/exec_worker.h"
#include "studio/generate.h"
#include "studio/jobs.h"
#include "studio/models.h"
#include "studio/train_job.h"
#include "wire/address.h"

namespace sparky::cli {
namespace fs = std::filesystem;

namespace {

constexpr size_t files_max_bytes = 24u << 20;  // of one job: they travel in one message

// The files that a result names, in its order.
Result<std::vector<wire::WorkerFile>> collect(const fs::path& directory, const Json& result) {
  std::vector<wire::WorkerFile> files;
  size_t bytes = 0;
  for (auto& name : result.value("files", Json::array())) {
    SPARKY_ASSIGN(auto data, read_file(directory / name.get<std::string>(), files_max_bytes));
    bytes += data.size();
    if (bytes > files_max_bytes)
      return fail(Errc::full, fmt::format("the job made more than {} MiB of files", files_max_bytes >> 20),
                  "ask for less at once");
    files.push_back({name.get<std::string>(), {std::move(data)}, {}});
  }
  return files;
}

Result<wire::Made> studio_job(studio::SpriteStudio& sprites, const wire::Lease& lease, wire::JobHandle& job) {
  SPARKY_ASSIGN(auto output, TemporaryDirectory::make());
  auto request = lease.request ? *lease.request : Json::object();
  auto progress = [&](std::string_view stage, int64_t step, int64_t total) {
    job.progress(stage, step, total, total > 0 ? double(step) / double(total) : 0);
  };
  auto cancelled = [&] { return job.cancelled(); };
  Result<Json> made = Json();
  if (lease.kind == "generate") {
    auto preview = [&](int picture, int step, std::string png) {
      job.preview(fmt::format("preview-{}.png", picture + 1), std::move(png), step);
    };
    made = sprites.generate(request, lease.job, output.path(), progress, preview, cancelled);
  } else if (lease.kind == "load") {
    made = sprites.load(lease.model, progress, cancelled);
  } else if (lease.kind == "unload") {
    made = sprites.unload(lease.model, cancelled);
  } else if (lease.kind == "train") {
    auto preview = [&](std::string png, int64_t step) { job.preview("sheet.png", std::move(png), step); };
    made = studio::train(request, lease.job, output.path(), progress, preview, cancelled);
  } else {
    auto function = studio::job_functions().find(lease.kind);
    if (function == studio::job_functions().end())
      return fail(Errc::unavailable, fmt::format("this worker cannot do '{}'", lease.kind),
                  "sparky worker --command gives it a command for that");
    made = function->second(request, output.path(), progress, cancelled);
  }
  if (!made) return std::unexpected(made.error());
  SPARKY_ASSIGN(auto files, collect(output.path(), *made));
  made->erase("files");  // the daemon says where they are now
  return wire::Made{wire::document(std::move(*made)), std::move(files)};
}

}  // namespace

WorkerFunctions worker_functions(const std::string& command) {
  auto sprites = std::make_shared<studio::SpriteStudio>();
  WorkerFunctions functions;
  functions.loaded = [sprites] { return sprites->loaded(); };
  functions.job = [exec = conductor::exec_function(command), by_command = !command.empty(), sprites](
                      const wire::Lease& lease, wire::JobHandle& job) -> Result<wire::Made> {
    if (by_command || lease.kind == "exec") return exec(lease, job);
    return studio_job(*sprites, lease, job);
  };
  return functions;
}

std::vector<wire::Model> installed_models() {
  std::vector<wire::Model> models;
  if (!studio::find_sprite_program()) return models;
  for (auto& model : studio::find_models(studio::model_folders()))
    models.push_back({model.name, model.path.string(), model.type, double(model.size_bytes) / 1e6});
  return models;
}

std::vector<conductor::WorkerProgram> worker_programs(const fs::path& project, Duration idle) {
  std::error_code ec;
  std::vector<std::string> base{
      fs::read_symlink("/proc/self/exe", ec).string(), "worker", "--connect",
      wire::project_address(project, "workers"),       "--idle", fmt::format("{}ms", idle.count())};
  auto with = [&](const std::vector<std::string>& kinds, unsigned leases) {
    auto argv = base;
    for (auto& kind : kinds) argv.insert(argv.end(), {"--kind", kind});
    argv.insert(argv.end(), {"--leases", std::to_string(leases)});
    return argv;
  };
  std::vector<conductor::WorkerProgram> programs;
  if (studio::find_sprite_program()) {
    conductor::WorkerProgram sprite{.name = "sprite", .kinds = {"generate", "load", "unload"}};
    sprite.argv = with(sprite.kinds, 1);
    sprite.models = [] {
      std::vector<std::string> names;
      for (auto& model : installed_models())
        if (model.model_type == "checkpoint") names.push_back(model.name);
      return names;
    };
    sprite.check = [](std::string_view kind, const Json& request) -> Status {
      if (kind != "generate") return {};
      SPARKY_TRY(studio::parse_generate(request, ""));
      return {};
    };
    programs.push_back(std::move(sprite));
    conductor::WorkerProgram train{.name = "train", .kinds = {"train"}};
    train.argv = with(train.kinds, 1);
    train.check = [](std::string_view, const Json& request) -> Status {
      SPARKY_TRY(studio::train_arguments(request));
      return {};
    };
    programs.push_back(std::move(train));
  }
  conductor::WorkerProgram pictures{.name = "pictures"};
  for (auto& [kind, function] : studio::job_functions()) pictures.kinds.push_back(kind);
  pictures.check = studio::check_job;
  pictures.argv = with(pictures.kinds, std::clamp(std::thread::hardware_concurrency(), 1u, 8u));
  if (!pictures.kinds.empty()) programs.push_back(std::move(pictures));
  return programs;
}

}  // namespace sparky::cli
