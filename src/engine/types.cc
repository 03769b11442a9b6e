#include "engine/types.h"

#include <array>

#include "engine/event.h"

namespace sparky::engine {
namespace {

// The word at an enumerator's place; a value from outside the enumeration (a damaged journal) has no word.
template <class E, size_t n>
std::string_view word(const std::array<std::string_view, n>& words, E value) {
  return size_t(value) < n ? words[size_t(value)] : "?";
}

}  // namespace

std::string_view name(Stage v) {
  return word(std::array<std::string_view, 10>{"waiting", "ready", "running", "checking", "deciding", "backoff",
                                               "completed", "skipped", "failed", "cancelled"},
              v);
}
std::string_view name(Verdict v) {
  return word(std::array<std::string_view, 5>{"open", "verified", "failed", "waived", "untestable"}, v);
}
std::string_view name(Work v) { return word(std::array<std::string_view, 3>{"run", "check", "job"}, v); }
std::string_view name(Outcome v) {
  return word(std::array<std::string_view, 6>{"exited", "signalled", "timed-out", "cancelled", "lost", "not-startable"},
              v);
}
std::string_view name(CancelReason v) {
  return word(std::array<std::string_view, 4>{"none", "operator", "run-cancelled", "timed-out"}, v);
}
std::string_view name(Halt v) { return word(std::array<std::string_view, 3>{"none", "paused", "cancelled"}, v); }
std::string_view name(Standing v) {
  return word(std::array<std::string_view, 6>{"running", "completed", "waiting", "failed", "paused", "cancelled"}, v);
}
std::string_view name(DecisionKind v) {
  return word(std::array<std::string_view, 4>{"criterion", "acceptance", "lost", "held"}, v);
}
std::string_view name(Answer v) { return word(std::array<std::string_view, 3>{"approve", "reject", "waive"}, v); }
std::string_view name(EscalationKind v) {
  return word(std::array<std::string_view, 5>{"stall", "overrun", "gate", "crashing", "failed"}, v);
}
std::string_view name(Severity v) { return word(std::array<std::string_view, 3>{"info", "warning", "critical"}, v); }
std::string_view name(JobState v) {
  return word(std::array<std::string_view, 5>{"queued", "running", "completed", "failed", "cancelled"}, v);
}
std::string_view name(JobPriority v) {
  return word(std::array<std::string_view, 4>{"urgent", "high", "normal", "low"}, v);
}

int exit_code(Standing standing) {
  switch (standing) {
    case Standing::completed:
      return 0;
    case Standing::failed:
      return 1;
    case Standing::waiting:
      return 3;
    case Standing::paused:
    case Standing::cancelled:
      return 130;
    case Standing::running:
      return 0;
  }
  return 1;
}

std::string_view event_name(size_t index) {
  static constexpr std::array<std::string_view, std::variant_size_v<EventBody>> names = {
      "run-created",      "plan-updated",    "options-set",        "halt-set",           "run-settled",
      "run-archived",     "slots-set",       "node-staged",        "node-reset",         "criterion-judged",
      "decision-opened",  "decision-closed", "escalation-opened",  "escalation-closed",  "attempt-assigned",
      "lease-granted",    "attempt-started", "attempt-progressed", "attempt-cancelling", "attempt-recalling",
      "attempt-recalled", "attempt-ended",   "job-submitted",      "job-staged",         "jobs-cleared",
      "queue-paused",     "worker-joined",   "worker-left",        "request-kept",       "jobs-ranked"};
  return index < names.size() ? names[index] : "?";
}

}  // namespace sparky::engine
