// sparky jobs, job, queue, workers: the job queue.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/door.h"
#include "wire/client.h"

namespace sparky::cli {
namespace {

struct QueueOptions {
  std::string id, state, command, kind = "exec", model, priority = "normal", request, timeout, worker;
  std::vector<std::string> ids, after;
  uint32_t retries = 0;
  std::string before;
  bool last = false;
};

std::string text_of(const Json& json, const char* field) {
  auto it = json.find(field);
  if (it == json.end() || it->is_null()) return "";
  return it->is_string() ? it->get<std::string>() : it->dump();
}

std::string words(const Json& list) {
  std::string text;
  for (auto& word : list) text += (text.empty() ? "" : " ") + word.get<std::string>();
  return text;
}

// Asks, and prints the part of the answer that a script wants; `show` prints it for people.
template <class Reply, class Show>
int ask_and_show(const Context& context, const wire::Request& request, const Show& show) {
  auto door = open_door(context);
  if (!door) return report(door.error());
  auto reply = (*door)->ask<Reply>(request);
  if (!reply) return report(reply.error());
  return show(*reply);
}

int operate(const Context& context, const wire::Request& request, const std::string& said) {
  return ask_and_show<wire::Done>(context, request, [&](const wire::Done& reply) {
    if (context.json)
      fmt::print("{}\n", json_text(Json{{"done", true}, {"notes", reply.notes}}));
    else if (reply.notes.empty())
      fmt::print("{}\n", said);
    else
      for (auto& note : reply.notes) fmt::print("{}\n", printable(note));
    return int(done);
  });
}

int list_jobs(const Context& context, const QueueOptions& o) {
  auto door = open_door(context);
  if (!door) return report(door.error());
  Json all = Json::array();
  bool paused = false;
  for (uint64_t after = 0, next = 1; next != 0; after = next) {
    auto part = (*door)->ask<wire::JobList>(wire::ListJobs{.state = o.state, .after = after});
    if (!part) return report(part.error());
    if (!context.json && part->paused && !std::exchange(paused, true))
      fmt::print("the queue is paused; `sparky queue resume` lets it go on\n");
    paused = part->paused;
    next = part->next;
    if (context.json) {
      all.insert(all.end(), part->jobs->begin(), part->jobs->end());
      continue;
    }
    if (after == 0 && part->jobs->empty()) fmt::print("no jobs\n");
    for (auto& job : *part->jobs)
      fmt::print("{:24} {:10} {:10} {:8} {}\n", printable(text_of(job, "id")), text_of(job, "kind"),
                 text_of(job, "state"), text_of(job, "priority"),
                 printable(text_of(job, job.contains("error") ? "error" : "note")));
  }
  if (context.json) fmt::print("{}\n", json_text(Json{{"paused", paused}, {"jobs", all}}));
  return done;
}

int show_job(const Context& context, const QueueOptions& o) {
  return ask_and_show<wire::JobReply>(context, wire::ShowJob{o.id}, [&](const wire::JobReply& reply) {
    if (context.json) {
      fmt::print("{}\n", json_text(*reply.job));
      return int(done);
    }
    for (auto& [key, value] : reply.job->items())
      fmt::print("{:14} {}\n", key, printable(text_of(*reply.job, key.c_str())));
    return int(done);
  });
}

int about_job(const Context& context, const wire::Request& request, const std::string& said) {
  auto door = open_door(context);
  if (!door) return report(door.error());
  auto reply = (*door)->ask(request, Duration(10'000));
  if (!reply) return report(reply.error());
  if (auto* e = std::get_if<wire::JobError>(&*reply)) return report({Errc::unavailable, e->error, ""});
  if (auto* e = std::get_if<wire::ErrorReply>(&*reply)) return report({Errc::unavailable, e->message, e->help});
  auto* accepted = std::get_if<wire::JobAccepted>(&*reply);
  if (context.json)
    fmt::print("{}\n", wire::encode(*reply, {}, wire::Encoding::json));
  else if (accepted)
    fmt::print("{}\n", accepted->job_id);
  else
    fmt::print("{}\n", said);
  return done;
}

int submit(const Context& context, const QueueOptions& o) {
  Json request = Json::object();
  if (!o.request.empty()) {
    auto parsed = parse_json(o.request);
    if (!parsed) return report({Errc::invalid, "--request: " + parsed.error().message, "one JSON document"});
    request = std::move(*parsed);
  }
  if (!o.command.empty()) request["command"] = o.command;
  wire::SubmitJob job{.id = o.id, .kind = o.kind, .model = o.model, .priority = o.priority};
  job.request = wire::document(std::move(request));
  job.after = o.after;
  job.retries = o.retries;
  job.worker = o.worker;
  if (!o.timeout.empty()) {
    auto timeout = parse_duration(o.timeout);
    if (!timeout) return report(timeout.error());
    job.timeout_s = double(timeout->count()) / 1000;
  }
  return about_job(context, job, "");
}

void add_job(CLI::App& app, Context& context, const std::shared_ptr<QueueOptions>& o) {
  auto* job = app.add_subcommand("job", "One job of the queue: submit, show, cancel, retry, move, clear");
  job->require_subcommand(1);
  auto* sub = job->add_subcommand("submit", "Put a job into the queue; prints its id");
  sub->add_option("COMMAND", o->command, "for jobs of kind exec: the shell command");
  sub->add_option("--kind", o->kind, "what a worker must be able to do")->capture_default_str();
  sub->add_option("--id", o->id, "its id (default: one is made); the same id and content again is the same job");
  sub->add_option("--model", o->model, "what the worker must have");
  sub->add_option("--request", o->request, "what is to be done, in the words of its kind")->type_name("JSON");
  sub->add_option("--priority", o->priority, "urgent, high, normal or low")->capture_default_str();
  sub->add_option("--after", o->after, "jobs that must complete first");
  sub->add_option("--retries", o->retries, "further attempts after a failure")->capture_default_str();
  sub->add_option("--timeout", o->timeout, "of one attempt, e.g. 10m")->type_name("DURATION");
  sub->add_option("--worker", o->worker, "the only one that may do it, by the name that `sparky workers` gives")
      ->type_name("NAME");
  sub->footer("Example:\n  sparky job submit --kind exec --priority high 'make -C game sprites'");
  sub->callback([&context, o] { context.exit = submit(context, *o); });
  auto* show = job->add_subcommand("show", "All that is known of a job");
  show->add_option("ID", o->id, "the job's id")->required();
  show->callback([&context, o] { context.exit = show_job(context, *o); });
  auto* cancel = job->add_subcommand("cancel", "Cancel a job, also a running one");
  cancel->add_option("ID", o->id, "the job's id")->required();
  cancel->callback([&context, o] { context.exit = about_job(context, wire::Cancel{o->id}, o->id + " cancelled"); });
  auto* retry = job->add_subcommand("retry", "Queue a failed or cancelled job again");
  retry->add_option("ID", o->id, "the job's id")->required();
  retry->callback(
      [&context, o] { context.exit = operate(context, wire::RetryJob{o->id}, o->id + " is queued again"); });
  auto* move =
      job->add_subcommand("move", "Give a job that waits another place in the line; the front, if none is named");
  move->add_option("ID", o->id, "the job's id")->required();
  auto* before = move->add_option("--before", o->before, "the job that waits which it shall precede")->type_name("ID");
  move->add_flag("--last", o->last, "behind all that wait")->excludes(before);
  move->footer("Example:\n  sparky job move knight-7\n  sparky job move knight-7 --before dragon-2");
  move->callback([&context, o] {
    context.exit = operate(context, wire::MoveJob{o->id, o->before, o->last}, o->id + " has its new place");
  });
  auto* clear = job->add_subcommand("clear", "Forget jobs that have ended");
  clear->add_option("ID", o->ids, "which (default: all that have ended)");
  clear->callback([&context, o] { context.exit = operate(context, wire::ClearJobs{o->ids}, "cleared"); });
}

int list_workers(const Context& context) {
  return ask_and_show<wire::WorkerList>(context, wire::ListWorkers{}, [&](const wire::WorkerList& reply) {
    if (context.json)
      fmt::print("{}\n", json_text(*reply.workers));
    else if (reply.workers->empty())
      fmt::print("no workers; `sparky worker` starts one\n");
    else
      for (auto& worker : *reply.workers)
        fmt::print("{:24} {:6} {} of {} busy  {}{}\n", printable(text_of(worker, "name")),
                   printable(text_of(worker, "device")), worker["jobs"].size(), text_of(worker, "leases"),
                   printable(words(worker["kinds"])),
                   worker["models"].empty() ? "" : "; models: " + printable(words(worker["models"])));
    return int(done);
  });
}

}  // namespace

void add_queue_commands(CLI::App& app, Context& context) {
  auto o = std::make_shared<QueueOptions>();
  auto* jobs = app.add_subcommand("jobs", "The jobs of the queue");
  jobs->add_option("--state", o->state, "only queued, running, completed, failed or cancelled ones");
  jobs->callback([&context, o] { context.exit = list_jobs(context, *o); });
  add_job(app, context, o);
  auto* queue = app.add_subcommand("queue", "Hold the job queue back, or let it go on");
  queue->require_subcommand(1);
  queue->add_subcommand("pause", "Start no further jobs; running ones finish")->callback([&context] {
    context.exit = operate(context, wire::PauseQueue{true}, "the queue is paused; `sparky queue resume` lets it go on");
  });
  queue->add_subcommand("resume", "Go on")->callback([&context] {
    context.exit = operate(context, wire::PauseQueue{false}, "the queue goes on");
  });
  auto* workers = app.add_subcommand("workers", "The workers that are connected");
  workers->callback([&context] { context.exit = list_workers(context); });
}

}  // namespace sparky::cli
