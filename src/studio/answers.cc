#include "studio/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sparky::studio {

struct Answerer {
  Answers& studio;
  using Answer = Result<wire::Reply>;

  Answer operator()(const wire::ListGallery& r) {
    GalleryQuery query{.search = r.search, .model = r.model, .tag = r.tag, .seed = r.seed, .starred = r.starred};
    if (!r.since.empty()) {
      SPARKY_ASSIGN(query.since, parse_iso(r.since));
    }
    if (!r.until.empty()) {
      SPARKY_ASSIGN(query.until, parse_iso(r.until));
    }
    SPARKY_ASSIGN(auto found, studio.gallery_.list(query));
    wire::GalleryList list{.total = found.size(), .version = studio.gallery_.version()};
    list.unchanged = r.known == list.version;
    Json pictures = Json::array();
    uint64_t max = std::min<uint64_t>(r.max ? r.max : 1000, 20'000);
    for (uint64_t i = r.offset; !list.unchanged && i < found.size() && i - r.offset < max; ++i)
      pictures.push_back(to_json(*found[i]));
    list.pictures = wire::document(std::move(pictures));
    return list;
  }
  Answer operator()(const wire::ShowPicture& r) {
    SPARKY_ASSIGN(auto picture, studio.gallery_.describe(r.path));
    return wire::PictureState{wire::document(std::move(picture))};
  }
  Answer operator()(const wire::ReadPicture& r) {
    constexpr uint64_t most = 1 << 20;
    SPARKY_ASSIGN(auto part, studio.gallery_.read(r.path, r.offset, std::min(r.max ? r.max : most, most)));
    return wire::PicturePart{{std::move(part.bytes)}, r.offset, part.size};
  }
  Answer operator()(const wire::MarkPictures& r) {
    SPARKY_TRY(studio.gallery_.mark(r.paths, {r.star, r.add_tags, r.remove_tags}));
    return wire::Done{};
  }
  Answer operator()(const wire::DeletePictures& r) {
    SPARKY_ASSIGN(auto count, studio.gallery_.remove(r.paths));
    return wire::Done{
        {fmt::format("{} deleted; `sparky gallery undo` brings {} back", count, count == 1 ? "it" : "them")}, 0};
  }
  Answer operator()(const wire::RestorePictures& r) {
    SPARKY_ASSIGN(auto back, studio.gallery_.restore(r.path));
    wire::Done done;
    for (auto& path : back) done.notes.push_back(path + " is back");
    return done;
  }
  Answer operator()(const wire::SaveComparison& r) {
    SPARKY_ASSIGN(auto comparison, parse_comparison(r.comparison ? *r.comparison : Json()));
    SPARKY_TRY(studio.comparisons_.save(comparison));
    return wire::Done{};
  }
  Answer operator()(const wire::ListComparisons&) {
    SPARKY_ASSIGN(auto all, studio.comparisons_.list());
    Json list = Json::array();
    for (auto& comparison : all) list.push_back(to_json(comparison));
    return wire::ComparisonList{wire::document(std::move(list))};
  }
  Answer operator()(const wire::DescribeModels&) {
    SPARKY_ASSIGN(auto pictures, studio.gallery_.list({}));
    Json list = Json::array();
    for (auto& model : find_models(studio.model_folders_)) {
      auto described = studio.shelf_.describe(model);
      auto last = std::ranges::find(pictures, model.name, &GalleryPicture::model);  // newest first
      if (last != pictures.end()) described["used"] = iso((*last)->changed);
      list.push_back(std::move(described));
    }
    return wire::ModelDescriptions{wire::document(std::move(list))};
  }
  template <class Other>
  Answer operator()(const Other& other) {
    return fail(Errc::internal, fmt::format("'{}' is none of the studio's requests", other.type));
  }
};

Answers::Answers(const std::filesystem::path& project, std::vector<std::filesystem::path> model_folders)
    : gallery_(project), comparisons_(project), model_folders_(std::move(model_folders)) {}

wire::Reply Answers::operator()(const wire::Request& request) {
  auto answer = std::visit(Answerer{*this}, request);
  return answer ? std::move(*answer) : wire::Reply(wire::error_reply(answer.error()));
}

}  // namespace sparky::studio
