// The studio's messages: the gallery, comparisons, models and settings, as every face asks for them. Pictures travel as
// bytes, so that a face may be on another machine. Answered by a thread of its own beside the loop.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "wire/compatible.h"
#include "wire/types.h"

namespace sparky::wire {

// ---- requests -------------------------------------------------------------------------------------------------------

struct ListGallery {
  static constexpr Role role = Role::observe;
  std::string search, model, tag, since, until, known;
  std::optional<uint64_t> seed;
  bool starred = false;
  uint64_t offset = 0, max = 0;
  SPARKY_MESSAGE("list_gallery", "The pictures below outputs/, newest first. Answer: gallery_list.") {
    v.maybe("search", m.search, "words that must all occur in prompt, name, model or tags");
    v.maybe("model", m.model, "only pictures made by this model");
    v.maybe("tag", m.tag, "only pictures with this tag");
    v("seed", m.seed, "only pictures made with this seed");
    v.maybe("since", m.since, "only pictures made since; ISO 8601");
    v.maybe("until", m.until, "only pictures made before; ISO 8601");
    v.maybe("starred", m.starred, "true: only those with a star");
    v.maybe("offset", m.offset, "of the pictures that match, leave out the first so many");
    v.maybe("max", m.max, "at most so many; left out: 1000, and never more than 20000");
    v.maybe("known", m.known, "the `version` that is known already: when nothing has changed, the answer is short");
  }
};
struct ShowPicture {
  static constexpr Role role = Role::observe;
  std::string path;
  SPARKY_MESSAGE("show_picture", "One picture with the story that its file tells. Answer: picture_state.") {
    v("path", m.path, "as gallery_list gives it, or absolute");
  }
};
struct ReadPicture {
  static constexpr Role role = Role::observe;
  std::string path;
  uint64_t offset = 0, max = 0;
  SPARKY_MESSAGE("read_picture", "A part of a picture's file. Answer: picture_part.") {
    v("path", m.path, "as gallery_list, a preview or a job gives it");
    v.maybe("offset", m.offset, "first byte");
    v.maybe("max", m.max, "at most so many bytes; left out: 1 MiB, which is the most");
  }
};
struct MarkPictures {
  static constexpr Role role = Role::submit;
  std::vector<std::string> paths, add_tags, remove_tags;
  std::optional<bool> star;
  SPARKY_MESSAGE("mark_pictures", "Gives or takes the star, adds and removes tags. Answer: done.") {
    v("paths", m.paths, "which");
    v("star", m.star, "true: with a star; false: without");
    v.maybe("add_tags", m.add_tags, "tags that they get");
    v.maybe("remove_tags", m.remove_tags, "tags that they lose");
  }
};
struct DeletePictures {
  static constexpr Role role = Role::operate;
  std::vector<std::string> paths;
  SPARKY_MESSAGE("delete_pictures",
                 "Puts pictures away, into outputs/.trash; restore_pictures undoes it. Answer: done.") {
    v("paths", m.paths, "which");
  }
};
struct RestorePictures {
  static constexpr Role role = Role::operate;
  std::string path;
  SPARKY_MESSAGE("restore_pictures", "Undoes the latest deletion. Answer: done.") {
    v.maybe("path", m.path, "undo the deletion of this picture alone");
  }
};
struct SaveComparison {
  static constexpr Role role = Role::submit;
  Document comparison;
  SPARKY_MESSAGE("save_comparison", "Keeps a comparison: a new one, or one with its verdict. Answer: done.") {
    v("comparison", m.comparison,
      "{id, created, prompt, seed, entries: [{job, model, base_model?, lora?, lora_strength?, image?, "
      "generation_time_s?}], winner?, notes?, completed_at?}; winner: number of an entry from 1, or \"tie\"");
  }
};
struct ListComparisons {
  static constexpr Role role = Role::observe;
  SPARKY_MESSAGE("list_comparisons", "All comparisons, newest first. Answer: comparison_list.") {}
};
struct DescribeModels {
  static constexpr Role role = Role::observe;
  SPARKY_MESSAGE("describe_models",
                 "Models and LoRAs with their cards, sizes and hashes. Answer: model_descriptions.") {}
};
struct ListSettings {
  static constexpr Role role = Role::observe;
  SPARKY_MESSAGE("list_settings", "Every setting, its value and where that comes from. Answer: setting_list.") {}
};
struct ChangeSetting {
  static constexpr Role role = Role::operate;
  std::string key;
  std::optional<std::string> value;
  SPARKY_MESSAGE("change_setting",
                 "Writes a setting into sparky.toml, whose comments stay; what is running takes it at its next start. "
                 "Answer: done.") {
    v("key", m.key, "serve.req, …");
    v("value", m.value, "left out: the default again");
  }
};

// ---- replies --------------------------------------------------------------------------------------------------------

struct GalleryList {
  Document pictures;
  uint64_t total = 0;
  std::string version;
  bool unchanged = false;
  SPARKY_MESSAGE("gallery_list", "Pictures, newest first.") {
    v("pictures", m.pictures,
      "list of {path, size_bytes, changed, width, height, prompt?, model?, seed?, star?, tags?}; path below outputs/");
    v("total", m.total, "so many match");
    v("version", m.version, "changes when anything in the gallery does");
    v.maybe("unchanged", m.unchanged, "true: still as in the version that was known; `pictures` is empty");
  }
};
struct PictureState {
  Document picture;
  SPARKY_MESSAGE("picture_state", "One picture.") {
    v("picture", m.picture, "as in gallery_list, and absolute_path, request? (repeats it), text (of the file)");
  }
};
struct PicturePart {
  Bytes data;
  uint64_t offset = 0, size = 0;
  SPARKY_MESSAGE("picture_part", "A part of a file.") {
    v("data", m.data, "bytes");
    v("offset", m.offset, "of the first byte");
    v("size", m.size, "of the whole file");
  }
};
struct ComparisonList {
  Document comparisons;
  SPARKY_MESSAGE("comparison_list", "Comparisons, newest first.") {
    v("comparisons", m.comparisons, "list of comparisons, as save_comparison takes them");
  }
};
struct ModelDescriptions {
  Document models;
  SPARKY_MESSAGE("model_descriptions", "Models and LoRAs.") {
    v("models", m.models, "list of {name, path, type, size_bytes, changed, sha256, card, used?}");
  }
};
struct SettingList {
  std::string file;
  Document settings;
  std::vector<std::string> problems;
  SPARKY_MESSAGE("setting_list", "The settings.") {
    v("file", m.file, "sparky.toml");
    v("settings", m.settings, "list of {key, value, source, default, environment, meaning}");
    v.maybe("problems", m.problems, "what is wrong in the file, one line each");
  }
};

}  // namespace sparky::wire
