#include "sprite/serve.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/json.h"
#include "pixel/files.h"
#include "sprite/generator.h"
#include "studio/sprite_request.h"
#include "wire/fields.h"

namespace sparky::sprite {
namespace {

constexpr size_t kMaxLine = 1u << 20;
constexpr size_t kWarmModels = 2;

std::string_view code_name(Errc code) {
  switch (code) {
    case Errc::invalid:
      return "invalid";
    case Errc::not_found:
      return "not_found";
    case Errc::exists:
      return "exists";
    case Errc::busy:
      return "busy";
    case Errc::denied:
      return "denied";
    case Errc::unavailable:
      return "unavailable";
    case Errc::corrupt:
      return "corrupt";
    case Errc::io:
      return "io";
    case Errc::full:
      return "full";
    case Errc::cancelled:
      return "cancelled";
    case Errc::internal:
      break;
  }
  return "internal";
}

class Server {
 public:
  Server(int in, int out) : in_(in), out_(out) {}

  int run() {
    emit({{"event", "ready"}, {"device", best_device()}, {"version", SPARKY_VERSION}});
    while (alive_) {
      if (queue_.empty() && !read_lines(-1)) break;
      if (queue_.empty()) continue;
      Json message = std::move(queue_.front());
      queue_.pop_front();
      answer(message);
    }
    return alive_ ? 0 : 1;
  }

 private:
  void emit(const Json& event) {
    std::string line = json_text(event) + "\n";
    for (size_t done = 0; done < line.size() && alive_;) {
      ssize_t n = ::write(out_, line.data() + done, line.size() - done);
      if (n > 0) done += size_t(n);
      if (n < 0 && errno != EINTR) alive_ = false;  // nobody listens any more
    }
  }

  void emit_error(const Json& id, const Error& e) {
    Json event = error_event(e);
    event["id"] = id;
    emit(event);
  }

  // Takes in what has arrived; waits for it with timeout_ms < 0. False at the end of the input.
  bool read_lines(int timeout_ms) {
    pollfd p{in_, POLLIN, 0};
    if (::poll(&p, 1, timeout_ms) <= 0) return true;
    char chunk[4096];
    ssize_t n = ::read(in_, chunk, sizeof chunk);
    if (n < 0) return errno == EINTR;
    if (n == 0) {
      closed_ = true;
      return false;
    }
    buffer_.append(chunk, size_t(n));
    for (size_t end; (end = buffer_.find('\n')) != std::string::npos; buffer_.erase(0, end + 1)) {
      take(std::string_view(buffer_).substr(0, end));
    }
    if (buffer_.size() > kMaxLine) {
      emit_error(nullptr, {Errc::invalid, fmt::format("a line is longer than {} bytes", kMaxLine), ""});
      buffer_.clear();
    }
    return true;
  }

  void take(std::string_view line) {
    auto j = parse_json(line, {.bytes = kMaxLine, .depth = 16});
    if (!j) return emit_error(nullptr, j.error());
    if (!j->is_object() || !j->contains("op")) {
      return emit_error(nullptr, {Errc::invalid, "a message must be an object with the field 'op'", ""});
    }
    if ((*j)["op"] == "cancel") {
      cancelled_.insert(j->value("id", Json()));
    } else {
      queue_.push_back(std::move(*j));
    }
  }

  void answer(const Json& message) {
    Json id = message.value("id", Json());
    if (message["op"] == "load" || message["op"] == "unload") return hold(id, message);
    if (message["op"] != "generate") {
      return emit_error(id, {Errc::invalid, "field 'op' must be \"generate\", \"load\", \"unload\" or \"cancel\"", ""});
    }
    auto request = studio::parse_request(message.value("request", Json()));
    if (!request) return emit_error(id, request.error());
    auto done = generate(id, *request);
    cancelled_.erase(id);
    if (!done) emit_error(id, done.error());
  }

  // A model into memory before a picture asks for it, or out of it.
  void hold(const Json& id, const Json& message) {
    auto field = message.value("model", Json());
    if (!field.is_string()) return emit_error(id, {Errc::invalid, "field 'model' must be a model's folder", ""});
    if (message["op"] == "unload") {
      warm_.erase(field.get<std::string>());
    } else if (auto loaded = generator(field.get<std::string>()); !loaded) {
      return emit_error(id, loaded.error());
    }
    emit({{"event", "result"}, {"id", id}, {"loaded", loaded()}});
  }

  std::vector<std::string> loaded() const {
    std::vector<std::string> folders;
    for (auto& [folder, model] : warm_) folders.push_back(folder);
    return folders;
  }

  Result<Generator*> generator(const std::string& dir) {
    if (auto it = warm_.find(dir); it != warm_.end()) return &it->second;
    if (warm_.size() >= kWarmModels) warm_.erase(warm_.begin());
    SPARKY_ASSIGN(Generator g, Generator::load(dir));
    return &warm_.emplace(dir, std::move(g)).first->second;
  }

  Status generate(const Json& id, const studio::SpriteRequest& request) {
    SPARKY_ASSIGN(Generator * model, generator(request.model));
    std::optional<Error> broken;
    auto made = model->generate(request, [&](const Step& s) {
      emit({{"event", "progress"},
            {"id", id},
            {"picture", s.picture},
            {"pictures", s.pictures},
            {"step", s.step},
            {"steps", s.steps},
            {"eta_ms", int64_t(s.eta_seconds * 1000)}});
      if (s.preview) {
        if (auto png = pixel::encode_png(*s.preview)) {
          emit({{"event", "preview"}, {"id", id}, {"picture", s.picture}, {"png", wire::base64(*png)}});
        }
      }
      read_lines(0);
      return alive_ && !closed_ && !cancelled_.contains(id);
    });
    if (!made) return std::unexpected(made.error());
    Json pictures = Json::array();
    for (size_t i = 0; i < made->pictures.size(); ++i) {
      auto text = studio::png_text(request, made->seeds[i], made->model_hash, SPARKY_VERSION);
      SPARKY_ASSIGN(std::string png, pixel::encode_png(made->pictures[i], {.text = text}));
      pictures.push_back({{"seed", made->seeds[i]}, {"png", wire::base64(png)}});
    }
    emit({{"event", "result"},
          {"id", id},
          {"pictures", pictures},
          {"warnings", made->warnings},
          {"model_hash", made->model_hash},
          {"device", model->device()},
          {"loaded", loaded()},
          {"seconds", made->seconds}});
    return {};
  }

  int in_, out_;
  bool alive_ = true, closed_ = false;
  std::string buffer_;
  std::deque<Json> queue_;
  std::set<Json> cancelled_;
  std::map<std::string, Generator> warm_;
};

}  // namespace

Json error_event(const Error& e) {
  return {{"event", "error"}, {"code", code_name(e.code)}, {"message", e.message}, {"help", e.help}};
}

int serve(int in, int out) { return Server(in, out).run(); }

}  // namespace sparky::sprite
