// Gallery: the pictures below outputs/, each with the story that its PNG text tells, and what people marked: stars and
// tags. Files are the truth; an index in memory is brought up to date whenever it is asked. Stars, tags and deletions
// stand in .sparky/gallery.json (atomically written). Deleted pictures lie in outputs/.trash until they are restored.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"

namespace sparky::studio {

struct GalleryPicture {
  std::string path;  // below outputs/, with /
  uint64_t size_bytes = 0;
  Time changed{};
  int width = 0, height = 0;  // pixels; 0: the file could not be read as a picture
  std::string prompt, model;
  std::optional<uint64_t> seed;
  bool star = false;
  std::set<std::string> tags;
};

struct GalleryQuery {
  std::string search;  // words that must all occur in prompt, path, model or tags; case does not matter
  std::string model, tag;
  std::optional<uint64_t> seed;
  std::optional<Time> since, until;
  bool starred = false;
};
bool matches(const GalleryPicture& picture, const GalleryQuery& query);

Json to_json(const GalleryPicture& picture);

class Gallery {
 public:
  explicit Gallery(const std::filesystem::path& project);

  // Looks at the disk. Newest first, then by path.
  Result<std::vector<const GalleryPicture*>> list(const GalleryQuery& query);
  std::string version() const;  // as of the last list(): another one when anything has changed

  // Of a path that is relative to outputs/ or absolute: the real file. Errc::denied when it lies elsewhere.
  Result<std::filesystem::path> file(const std::string& path) const;
  // What list() knows of it, and absolute_path, request (if it can be repeated), text (of the file).
  Result<Json> describe(const std::string& path);
  struct Part {
    std::string bytes;
    uint64_t size = 0;  // of the whole file
  };
  Result<Part> read(const std::string& path, uint64_t offset, uint64_t max) const;

  struct Marks {
    std::optional<bool> star;
    std::vector<std::string> add_tags, remove_tags;
  };
  Status mark(const std::vector<std::string>& paths, const Marks& marks);
  // Gives how many; all or nothing is decided before the first file moves.
  Result<size_t> remove(const std::vector<std::string>& paths);
  // Undoes the latest deletion, or that of one picture; gives the paths that are back. Errc::not_found: none to undo;
  // Errc::exists: something lies there now.
  Result<std::vector<std::string>> restore(const std::string& path);

 private:
  struct Mark {
    bool star = false;
    std::set<std::string> tags;
  };
  struct Deletion {
    uint64_t id = 0;
    std::vector<std::string> paths;
  };

  Status scan();
  Result<std::string> key(const std::string& path);  // of a picture that is there
  Status load();
  Status save();
  std::filesystem::path trash(uint64_t id) const;
  Status move_back(const Deletion& deletion, const std::string& path);

  std::filesystem::path outputs_, file_;
  std::map<std::string, GalleryPicture> pictures_;  // by path
  std::map<std::string, Mark> marks_;
  std::vector<Deletion> deletions_;  // oldest first
  bool loaded_ = false;
  uint64_t started_, changes_ = 0;
};

}  // namespace sparky::studio
