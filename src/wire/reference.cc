// Writes docs/protocol.md from the definitions in messages.h and compatible.h.
#include "base/hash.h"
#include "wire/fields.h"
#include "wire/messages.h"
#include "wire/worker.h"

namespace sparky::wire {

namespace {

template <class T>
std::string type_name() {
  if constexpr (std::same_as<T, std::string>)
    return "string";
  else if constexpr (std::same_as<T, bool>)
    return "bool";
  else if constexpr (std::same_as<T, Bytes>)
    return "bytes";
  else if constexpr (std::same_as<T, Document>)
    return "any";
  else if constexpr (std::floating_point<T>)
    return "number";
  else if constexpr (std::is_arithmetic_v<T>)
    return "integer";
  else if constexpr (requires(T t) { t.has_value(); })
    return type_name<typename T::value_type>();
  else if constexpr (Structure<T>)
    return "map";
  else
    return "list of " + type_name<typename T::value_type>();
}

struct Rows {
  std::string out;
  template <class T>
  void row(std::string_view name, std::string_view doc, bool optional) {
    out += fmt::format("| `{}`{} | {} | {} |\n", name, optional ? "?" : "", type_name<std::remove_const_t<T>>(), doc);
  }
  template <class T>
  void operator()(std::string_view name, T&, std::string_view doc) {
    row<T>(name, doc, requires(T t) { t.has_value(); });
  }
  template <class T>
  void maybe(std::string_view name, T&, std::string_view doc) {
    row<T>(name, doc, true);
  }
};

template <class Message>
void describe(std::string& out) {
  out += fmt::format("\n### `{}`\n{}", Message::type, Message::doc);
  if constexpr (requires { Message::role; }) out += fmt::format(" Role: {}.", name(Message::role));
  out += "\n";
  Message message;
  Rows rows;
  Message::fields(message, rows);
  if (!rows.out.empty()) out += "\n| field | type | meaning |\n|---|---|---|\n" + rows.out;
}

template <class Variant>
void section(std::string& out, std::string_view title, std::string_view text) {
  out += fmt::format("\n## {}\n{}\n", title, text);
  [&]<size_t... I>(std::index_sequence<I...>) {
    (describe<std::variant_alternative_t<I, Variant>>(out), ...);
  }(std::make_index_sequence<std::variant_size_v<Variant>>());
}

template <class Message>
std::string example(const Message& message, const std::string& json) {
  auto bytes = encode(message, {}, Encoding::msgpack);
  return fmt::format("```\n{}\n{}\n```\n", json,
                     hex(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size())));
}

std::string examples() {
  Request ping = Ping{};
  Request generate = Generate{.id = "j1", .prompt = "p", .model = "m", .size = {32, 32}, .steps = 30, .cfg_scale = 7.5};
  Reply accepted = JobAccepted{"j1", 4.5};
  return example(ping, encode(ping, {}, Encoding::json)) + example(generate, encode(generate, {}, Encoding::json)) +
         example(accepted, encode(accepted, {}, Encoding::json));
}

}  // namespace

std::string reference() {
  std::string out =
      "# The protocol\n\n"
      "Generated from `src/wire/compatible.h`, `messages.h` and `studio.h`; `wire_test` fails when it is not "
      "current.\n\n"
      "Requests go to a ROUTER socket (REQ and DEALER clients alike), each a single frame with one MessagePack map;\n"
      "each is answered by one frame. `type` names the message; a field with `?` may be left out; unknown fields are\n"
      "ignored. Every request may carry `request_id` (given back in the reply), `key` (the same key again does "
      "nothing\n"
      "again; also called `idempotency_key`, the only name of it where `key` is a field of the request's own) and\n"
      "`who` (kept with what a person decides). A reply comes after what it says is on disk.\n\n"
      "| socket | local | with `sparky serve` | speaks |\n|---|---|---|---|\n"
      "| requests (ROUTER) | `ipc://.sparky/sock` | `tcp://127.0.0.1:5555` | requests, replies |\n"
      "| updates (PUB) | `ipc://.sparky/updates` | `tcp://127.0.0.1:5556` | the original clients' updates |\n"
      "| events (PUB) | `ipc://.sparky/events` | `--events ADDR` | events, heartbeats |\n"
      "| workers (ROUTER) | `ipc://.sparky/workers` | `--workers ADDR` | worker messages |\n\n"
      "**Nothing is missed.** Subscribe to the events, ask for a snapshot (`run_status`), drop events up to its\n"
      "`newest`, and apply what follows. Sequence numbers have no gap: when one is missing, or a heartbeat's `newest`\n"
      "is ahead, ask `read_events` for what lies between. They stay the same when the daemon restarts.\n\n"
      "**Examples**, as JSON and as bytes:\n" +
      examples();
  section<Request>(out, "Requests", "The first six are those of the original clients.");
  section<Reply>(out, "Replies", "Any request may be answered by `error`.");
  section<Update>(out, "Updates", "To the original clients, who take every frame (no topic).");
  section<Stream>(out, "Events", "On a socket of their own, because the original clients know only their updates.");
  section<FromWorker>(out, "Workers: to the daemon",
                      "On the workers socket. A worker says `worker_beat` every 2 s and keeps a result until it is\n"
                      "settled; what carries an attempt that is not live any more changes nothing.");
  section<ToWorker>(out, "Workers: from the daemon", "Said again until it is held or settled.");
  return out;
}

}  // namespace sparky::wire
