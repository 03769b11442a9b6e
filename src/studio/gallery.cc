#include "studio/gallery.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "pixel/files.h"
#include "studio/sprite_request.h"

namespace sparky::studio {
namespace fs = std::filesystem;

namespace {

constexpr size_t tag_max = 64, tags_max = 100;
constexpr std::string_view suffixes[] = {".png", ".apng", ".jpg", ".jpeg", ".webp", ".gif"};

bool is_picture_name(const fs::path& path) {
  auto suffix = lower(path.extension().string());
  return std::ranges::find(suffixes, suffix) != std::end(suffixes);
}

// The prompt of a picture of another tool: the first line of its text `parameters`, up to the negative prompt.
std::string foreign_prompt(const pixel::Text& text) {
  auto it = text.find("parameters");
  if (it == text.end()) return {};
  return std::string(trim(std::string_view(it->second).substr(0, it->second.find('\n'))));
}

void read_facts(const fs::path& file, GalleryPicture& picture) {
  auto bytes = read_file(file, 64u << 20);
  if (!bytes) return;
  auto format = pixel::sniff(*bytes);
  if (!format) return;
  if (*format != pixel::Format::png || bytes->size() < 24) {
    if (auto decoded = pixel::decode_picture(*bytes, picture.path)) {
      picture.width = decoded->width;
      picture.height = decoded->height;
    }
    return;
  }
  auto number = [&](size_t at) {  // big-endian, in the IHDR chunk, which is the first
    int value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | uint8_t((*bytes)[at + i]);
    return value;
  };
  auto text = pixel::decode_png_text(*bytes, picture.path);
  if (!text) return;
  picture.width = number(16);
  picture.height = number(20);
  if (auto request = request_of(*text)) {
    picture.prompt = request->prompt;
    picture.model = fs::path(request->model).filename().string();
    picture.seed = request->seed;
  } else {
    picture.prompt = foreign_prompt(*text);
  }
}

Time time_of(const struct stat& info) {
  return Time(Duration(int64_t(info.st_mtim.tv_sec) * 1000 + info.st_mtim.tv_nsec / 1'000'000));
}

Status check_tag(const std::string& tag) {
  if (!tag.empty() && tag.size() <= tag_max && trim(tag) == tag && printable(tag) == tag &&
      tag.find_first_of("\n\t,") == tag.npos)
    return {};
  return fail(Errc::invalid, fmt::format("'{}' is no tag", printable(tag)), "one to 64 characters, without commas");
}

// Renames, but never onto something.
Status move_file(const fs::path& from, const fs::path& to) {
  SPARKY_TRY(make_directories(to.parent_path()));
  if (::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST)
      return fail(Errc::exists, fmt::format("{} is there already", to.string()), "move it away first");
    return fail_errno(errno, fmt::format("cannot move {} to {}", from.string(), to.string()));
  }
  SPARKY_TRY(sync_directory(from.parent_path()));
  return sync_directory(to.parent_path());
}

}  // namespace

bool matches(const GalleryPicture& p, const GalleryQuery& q) {
  if (!q.model.empty() && p.model != q.model) return false;
  if (!q.tag.empty() && !p.tags.contains(q.tag)) return false;
  if (q.seed && p.seed != q.seed) return false;
  if (q.since && p.changed < *q.since) return false;
  if (q.until && p.changed >= *q.until) return false;
  if (q.starred && !p.star) return false;
  if (q.search.empty()) return true;
  std::string text = lower(p.prompt + "\n" + p.path + "\n" + p.model);
  for (auto& tag : p.tags) text += "\n" + lower(tag);
  auto wanted = lower(q.search);
  for (auto word : split(wanted, ' '))
    if (!word.empty() && text.find(word) == text.npos) return false;
  return true;
}

Json to_json(const GalleryPicture& p) {
  Json out{{"path", p.path},
           {"size_bytes", p.size_bytes},
           {"changed", iso(p.changed)},
           {"width", p.width},
           {"height", p.height}};
  if (!p.prompt.empty()) out["prompt"] = p.prompt;
  if (!p.model.empty()) out["model"] = p.model;
  if (p.seed) out["seed"] = *p.seed;
  if (p.star) out["star"] = true;
  if (!p.tags.empty()) out["tags"] = p.tags;
  return out;
}

Gallery::Gallery(const fs::path& project)
    : outputs_(project / "outputs"),
      file_(project / ".sparky" / "gallery.json"),
      started_(uint64_t(now().time_since_epoch().count())) {}

std::string Gallery::version() const { return fmt::format("{}-{}", started_, changes_); }

Status Gallery::scan() {
  SPARKY_TRY(load());
  std::set<std::string> seen;
  std::error_code ec;
  auto options = fs::directory_options::skip_permission_denied;
  for (auto it = fs::recursive_directory_iterator(outputs_, options, ec);
       !ec && it != fs::recursive_directory_iterator(); it.increment(ec)) {
    auto name = it->path().filename().string();
    bool hidden = name.starts_with(".") || (it.depth() == 0 && name == "previews");
    if (it->is_directory(ec)) {
      if (hidden || it.depth() > 16) it.disable_recursion_pending();
      continue;
    }
    struct stat info{};
    if (hidden || !is_picture_name(it->path()) || ::lstat(it->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode))
      continue;
    auto key = it->path().lexically_relative(outputs_).generic_string();
    if (invalid_utf8(key)) continue;
    auto& picture = pictures_[key];
    if (picture.path.empty() || picture.changed != time_of(info) || picture.size_bytes != uint64_t(info.st_size)) {
      picture = {.path = key, .size_bytes = uint64_t(info.st_size), .changed = time_of(info)};
      read_facts(it->path(), picture);
      ++changes_;
    }
    seen.insert(key);
  }
  changes_ += std::erase_if(pictures_, [&](auto& entry) { return !seen.contains(entry.first); });
  for (auto& [key, picture] : pictures_) {
    auto mark = marks_.find(key);
    picture.star = mark != marks_.end() && mark->second.star;
    picture.tags = mark != marks_.end() ? mark->second.tags : std::set<std::string>{};
  }
  return {};
}

Result<std::vector<const GalleryPicture*>> Gallery::list(const GalleryQuery& query) {
  SPARKY_TRY(scan());
  std::vector<const GalleryPicture*> found;
  for (auto& [key, picture] : pictures_)
    if (matches(picture, query)) found.push_back(&picture);
  std::ranges::stable_sort(found, [](auto* a, auto* b) { return a->changed > b->changed; });
  return found;
}

Result<fs::path> Gallery::file(const std::string& path) const {
  fs::path given(path);
  std::error_code ec;
  auto real = fs::canonical(given.is_absolute() ? given : outputs_ / given, ec);
  if (ec) return fail(Errc::not_found, fmt::format("there is no picture '{}'", path), "`sparky gallery` lists them");
  auto root = fs::weakly_canonical(outputs_) / "";
  if (!real.native().starts_with(root.native()) || !fs::is_regular_file(real, ec) || !is_picture_name(real))
    return fail(Errc::denied, fmt::format("'{}' is no picture below outputs/", path), "`sparky gallery` lists them");
  return real;
}

Result<std::string> Gallery::key(const std::string& path) {
  SPARKY_ASSIGN(auto real, file(path));
  auto key = real.lexically_relative(fs::weakly_canonical(outputs_)).generic_string();
  if (!pictures_.contains(key))
    return fail(Errc::not_found, fmt::format("the gallery has no picture '{}'", path), "`sparky gallery` lists them");
  return key;
}

Result<Json> Gallery::describe(const std::string& path) {
  SPARKY_TRY(scan());
  SPARKY_ASSIGN(auto name, key(path));
  SPARKY_ASSIGN(auto real, file(path));
  Json out = to_json(pictures_.at(name));
  out["absolute_path"] = real.string();
  SPARKY_ASSIGN(auto bytes, read_file(real));
  if (auto text = pixel::decode_png_text(bytes, name)) {
    if (auto request = request_of(*text)) out["request"] = to_json(*request);
    if (!text->empty()) out["text"] = *text;
  }
  return out;
}

Result<Gallery::Part> Gallery::read(const std::string& path, uint64_t offset, uint64_t max) const {
  SPARKY_ASSIGN(auto real, file(path));
  std::ifstream in(real, std::ios::binary | std::ios::ate);
  if (!in) return fail(Errc::io, fmt::format("cannot read {}", real.string()));
  Part part{.size = uint64_t(in.tellg())};
  if (offset >= part.size) return part;
  part.bytes.resize(size_t(std::min(max, part.size - offset)));
  in.seekg(std::streamoff(offset));
  in.read(part.bytes.data(), std::streamsize(part.bytes.size()));
  part.bytes.resize(size_t(in.gcount()));
  return part;
}

Status Gallery::mark(const std::vector<std::string>& paths, const Marks& marks) {
  SPARKY_TRY(scan());
  if (paths.empty()) return fail(Errc::invalid, "field 'paths' is empty", "name the pictures");
  for (auto& tag : marks.add_tags) SPARKY_TRY(check_tag(tag));
  std::vector<std::string> keys;
  for (auto& path : paths) {
    SPARKY_ASSIGN(auto name, key(path));
    keys.push_back(std::move(name));
  }
  auto before = marks_;
  for (auto& name : keys) {
    auto& mark = marks_[name];
    if (marks.star) mark.star = *marks.star;
    mark.tags.insert(marks.add_tags.begin(), marks.add_tags.end());
    for (auto& tag : marks.remove_tags) mark.tags.erase(tag);
    if (mark.tags.size() > tags_max) {
      marks_ = std::move(before);
      return fail(Errc::invalid, fmt::format("'{}' would have more than {} tags", name, tags_max));
    }
    if (!mark.star && mark.tags.empty()) marks_.erase(name);
  }
  if (auto saved = save(); !saved) {
    marks_ = std::move(before);
    return saved;
  }
  ++changes_;
  return {};
}

fs::path Gallery::trash(uint64_t id) const { return outputs_ / ".trash" / std::to_string(id); }

// The record comes first: a kill between it and a move leaves a picture where it was, and restoring does nothing to it.
Result<size_t> Gallery::remove(const std::vector<std::string>& paths) {
  SPARKY_TRY(scan());
  if (paths.empty()) return fail(Errc::invalid, "field 'paths' is empty", "name the pictures");
  Deletion deletion{.id = deletions_.empty() ? 1 : deletions_.back().id + 1};
  while (fs::exists(trash(deletion.id))) ++deletion.id;
  std::set<std::string> keys;
  for (auto& path : paths) {
    SPARKY_ASSIGN(auto name, key(path));
    keys.insert(std::move(name));
  }
  deletion.paths.assign(keys.begin(), keys.end());
  deletions_.push_back(deletion);
  if (auto saved = save(); !saved) {
    deletions_.pop_back();
    return std::unexpected(saved.error());
  }
  for (auto& path : deletion.paths) {
    SPARKY_TRY(move_file(outputs_ / path, trash(deletion.id) / path));
    pictures_.erase(path);
    ++changes_;
  }
  return deletion.paths.size();
}

Status Gallery::move_back(const Deletion& deletion, const std::string& path) {
  auto kept = trash(deletion.id) / path;
  return fs::exists(kept) ? move_file(kept, outputs_ / path) : Status{};
}

Result<std::vector<std::string>> Gallery::restore(const std::string& path) {
  SPARKY_TRY(load());
  std::string wanted = path;
  if (auto root = outputs_.string() + "/"; wanted.starts_with(root)) wanted = wanted.substr(root.size());
  auto it = std::ranges::find_if(deletions_.rbegin(), deletions_.rend(), [&](auto& d) {
    return wanted.empty() || std::ranges::find(d.paths, wanted) != d.paths.end();
  });
  if (it == deletions_.rend())
    return fail(Errc::not_found, wanted.empty() ? "nothing was deleted" : fmt::format("'{}' was not deleted", path),
                "what was deleted lies in outputs/.trash");
  auto deletion = std::prev(it.base());
  auto back = wanted.empty() ? deletion->paths : std::vector<std::string>{wanted};
  for (auto& name : back) SPARKY_TRY(move_back(*deletion, name));
  std::error_code ec;
  for (auto& name : back) std::erase(deletion->paths, name);
  if (deletion->paths.empty()) {
    fs::remove_all(trash(deletion->id), ec);  // empty directories
    deletions_.erase(deletion);
  }
  ++changes_;
  SPARKY_TRY(save());
  return back;
}

Status Gallery::load() {
  if (loaded_) return {};
  auto bytes = read_file(file_, 64u << 20);
  if (!bytes && !bytes.error().is(Errc::not_found)) return std::unexpected(bytes.error());
  if (bytes) {
    SPARKY_ASSIGN(auto json, parse_json(*bytes));
    auto bad = fail(Errc::corrupt, file_.string() + " does not hold what Sparky writes there", "move it away");
    try {
      for (auto& [path, mark] : json.at("marks").items())
        marks_[path] = {mark.at("star"), mark.at("tags").get<std::set<std::string>>()};
      for (auto& d : json.at("deletions")) {
        Deletion deletion{d.at("id"), d.at("paths").get<std::vector<std::string>>()};
        for (auto& path : deletion.paths)  // nothing outside outputs/ is ever moved
          if (fs::path(path).is_absolute() || path.find("..") != path.npos) return bad;
        deletions_.push_back(std::move(deletion));
      }
    } catch (const Json::exception&) {
      return bad;
    }
  }
  loaded_ = true;
  return {};
}

Status Gallery::save() {
  Json marks = Json::object(), deletions = Json::array();
  for (auto& [path, mark] : marks_) marks[path] = {{"star", mark.star}, {"tags", mark.tags}};
  for (auto& d : deletions_) deletions.push_back({{"id", d.id}, {"paths", d.paths}});
  return write_file_atomic(file_, json_text(Json{{"marks", marks}, {"deletions", deletions}}, 1) + "\n",
                           {.mode = 0600});
}

}  // namespace sparky::studio
