// Attempts between the engine and the executors: what is run, where its output goes, and how its end is told.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "engine/engine.h"
#include "executors/executor.h"

namespace sparky::conductor {

// The executor's name for an attempt: its number and a mark of when it was assigned, so that a journal that was put
// back to an older state cannot mistake another attempt's end for its own.
std::string attempt_name(const engine::Attempt& attempt);
engine::AttemptId attempt_number(std::string_view name);  // 0: not one of ours

// A name that is one path component, whatever the id holds; equal names only for equal ids.
std::string component(std::string_view id);

// .sparky/logs/run-1/WS-01: the logs of a node's attempts; files are NUMBER-run.log and NUMBER-check-K.log.
std::filesystem::path log_directory(const std::filesystem::path& project, const engine::Run& run, engine::NodeId node);
std::filesystem::path log_directory(const std::filesystem::path& project, const engine::Job& job);
std::filesystem::path log_file(const std::filesystem::path& project, const engine::State& state,
                               const engine::Attempt& attempt);

// What the local executor shall run for a workstream's work or a check. Errc::unavailable: nothing here can run it.
Result<executors::AttemptSpec> spec_of(const std::filesystem::path& project, const engine::State& state,
                                       const engine::Attempt& attempt);
engine::ReportEnded report(engine::AttemptId attempt, const executors::Exit& exit);

}  // namespace sparky::conductor
