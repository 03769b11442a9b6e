#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>

#include "pixel/codec.h"
#include "pixel/transform.h"

namespace sparky::pixel {
namespace {

struct Reader {
  std::string_view bytes;
  size_t at = 0;
};

int read_bytes(GifFileType* gif, GifByteType* into, int wanted) {
  auto* reader = static_cast<Reader*>(gif->UserData);
  size_t n = std::min(size_t(wanted), reader->bytes.size() - reader->at);
  std::memcpy(into, reader->bytes.data() + reader->at, n);
  reader->at += n;
  return int(n);
}

int write_bytes(GifFileType* gif, const GifByteType* bytes, int size) {
  static_cast<std::string*>(gif->UserData)->append(reinterpret_cast<const char*>(bytes), size_t(size));
  return size;
}

struct CloseReader {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

struct Decoder {
  GifFileType* gif;
  std::string_view name;
  const Limits& limits;
  Picture canvas{};
  Animation out{};
  uint64_t pixels_read = 0;  // of the images in the file, which may be larger than the canvas
  GraphicsControlBlock control{DISPOSAL_UNSPECIFIED, false, 0, NO_TRANSPARENT_COLOR};

  std::unexpected<Error> failed() const {
    const char* why = gif->Error ? GifErrorString(gif->Error) : nullptr;
    return broken(name, "GIF", why ? why : "the file ends early");
  }

  Status extension() {
    int code = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) return failed();
    if (code == GRAPHICS_EXT_FUNC_CODE && block) DGifExtensionToGCB(block[0], block + 1, &control);
    bool netscape =
        code == APPLICATION_EXT_FUNC_CODE && block && block[0] == 11 && std::memcmp(block + 1, "NETSCAPE2.0", 11) == 0;
    while (block) {
      if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) return failed();
      if (netscape && block && block[0] == 3 && block[1] == 1) {
        int repeats = block[2] | block[3] << 8;
        out.loops = repeats == 0 ? 0 : repeats + 1;
      }
    }
    return {};
  }

  Status image() {
    if (DGifGetImageDesc(gif) == GIF_ERROR) return failed();
    SPARKY_TRY(check_size(name, uint64_t(out.width), uint64_t(out.height), limits, out.frames.size() + 1));
    const GifImageDesc& desc = gif->Image;
    pixels_read += uint64_t(desc.Width) * uint64_t(desc.Height);
    if (desc.Width <= 0 || desc.Height <= 0 || pixels_read > limits.pixels)
      return broken(name, "GIF", fmt::format("frame {} claims {}×{}", out.frames.size() + 1, desc.Width, desc.Height));
    const ColorMapObject* colors = desc.ColorMap ? desc.ColorMap : gif->SColorMap;
    if (!colors) return broken(name, "GIF", "a frame has no palette");
    Picture before = control.DisposalMode == DISPOSE_PREVIOUS ? canvas : Picture();

    std::vector<GifPixelType> line(size_t(desc.Width));
    auto draw = [&](int row) {
      if (DGifGetLine(gif, line.data(), desc.Width) == GIF_ERROR) return false;
      for (int x = 0; x < desc.Width; ++x) {
        int index = line[size_t(x)];
        if (index == control.TransparentColor || index >= colors->ColorCount) continue;
        if (!canvas.contains(desc.Left + x, desc.Top + row)) continue;
        const GifColorType& c = colors->Colors[index];
        canvas.at(desc.Left + x, desc.Top + row) = {c.Red, c.Green, c.Blue, 255};
      }
      return true;
    };
    static constexpr int kStart[] = {0, 4, 2, 1}, kStep[] = {8, 8, 4, 2};
    for (int pass = 0; pass < (desc.Interlace ? 4 : 1); ++pass)
      for (int row = desc.Interlace ? kStart[pass] : 0; row < desc.Height; row += desc.Interlace ? kStep[pass] : 1)
        if (!draw(row)) return failed();

    out.frames.push_back({canvas, control.DelayTime * 10});
    if (control.DisposalMode == DISPOSE_PREVIOUS) canvas = std::move(before);
    if (control.DisposalMode == DISPOSE_BACKGROUND)
      for (int y = std::max(0, desc.Top); y < std::min(out.height, desc.Top + desc.Height); ++y)
        for (int x = std::max(0, desc.Left); x < std::min(out.width, desc.Left + desc.Width); ++x) canvas.at(x, y) = {};
    control = {DISPOSAL_UNSPECIFIED, false, 0, NO_TRANSPARENT_COLOR};
    return {};
  }
};

}  // namespace

Result<Animation> decode_gif(std::string_view bytes, std::string_view name, const Limits& limits, int max_frames) {
  Reader reader{bytes};
  int error = 0;
  std::unique_ptr<GifFileType, CloseReader> gif(DGifOpen(&reader, read_bytes, &error));
  if (!gif) return broken(name, "GIF", "no header");
  SPARKY_TRY(check_size(name, uint64_t(gif->SWidth), uint64_t(gif->SHeight), limits));
  Decoder decoder{gif.get(), name, limits};
  decoder.canvas = Picture(gif->SWidth, gif->SHeight);
  decoder.out = {gif->SWidth, gif->SHeight, {}, 1};
  GifRecordType record = UNDEFINED_RECORD_TYPE;
  while (record != TERMINATE_RECORD_TYPE && int(decoder.out.frames.size()) < max_frames) {
    if (DGifGetRecordType(gif.get(), &record) == GIF_ERROR) return decoder.failed();
    if (record == EXTENSION_RECORD_TYPE) SPARKY_TRY(decoder.extension());
    if (record == IMAGE_DESC_RECORD_TYPE) SPARKY_TRY(decoder.image());
  }
  if (decoder.out.frames.empty()) return broken(name, "GIF", "it has no frame");
  return std::move(decoder.out);
}

namespace {

// The colours of a GIF frame (or of all), and which index means transparent.
struct GifPalette {
  std::vector<Rgba> colors;  // sorted, opaque
  int transparent = NO_TRANSPARENT_COLOR;

  static GifPalette of(const std::set<Rgba>& opaque, bool transparency) {
    GifPalette out{{opaque.begin(), opaque.end()}, NO_TRANSPARENT_COLOR};
    if (transparency) out.transparent = int(out.colors.size());
    return out;
  }
  size_t size() const { return colors.size() + (transparent >= 0); }
  GifPixelType index(Rgba c) const {
    if (c.a == 0) return GifPixelType(transparent);
    return GifPixelType(std::ranges::lower_bound(colors, c) - colors.begin());
  }
  std::unique_ptr<ColorMapObject, decltype(&GifFreeMapObject)> map() const {
    std::vector<GifColorType> entries(size_t(1) << std::max(1, GifBitSize(int(std::max<size_t>(size(), 2)))));
    for (size_t i = 0; i < colors.size(); ++i) entries[i] = {colors[i].r, colors[i].g, colors[i].b};
    return {GifMakeMapObject(int(entries.size()), entries.data()), &GifFreeMapObject};
  }
};

}  // namespace

Result<std::string> encode_gif(const Animation& animation) {
  if (animation.frames.empty() || animation.width <= 0 || animation.height <= 0 || animation.width > 65535 ||
      animation.height > 65535)
    return fail(Errc::invalid, "a GIF needs at least one frame, of at most 65535×65535");
  std::vector<std::set<Rgba>> colors;
  std::set<Rgba> all;
  bool transparency = false;
  for (auto& [picture, duration] : animation.frames) {
    size_t number = colors.size() + 1;
    if (picture.width != animation.width || picture.height != animation.height)
      return fail(Errc::invalid, fmt::format("frame {} is {}×{}, the animation {}×{}", number, picture.width,
                                             picture.height, animation.width, animation.height));
    auto& own = colors.emplace_back();
    for (Rgba c : picture.pixels) {
      if (c.a != 0 && c.a != 255)
        return fail(Errc::invalid, fmt::format("frame {} has half-transparent pixels, which GIF cannot hold", number),
                    "make alpha binary first, or write an APNG");
      if (c.a == 0)
        transparency = true;
      else
        own.insert(c);
    }
    if (own.size() > 255)
      return fail(Errc::invalid,
                  fmt::format("frame {} has {} colours, a GIF holds 255 and transparency", number, own.size()),
                  "quantise first, or write an APNG");
    all.insert(own.begin(), own.end());
  }

  std::string bytes;
  int error = 0;
  GifFileType* gif = EGifOpen(&bytes, write_bytes, &error);
  if (!gif) return fail(Errc::full, "out of memory");
  std::unique_ptr<GifFileType, void (*)(GifFileType*)> close(gif, [](GifFileType* g) { EGifCloseFile(g, nullptr); });
  bool shared = all.size() + transparency <= 256;
  GifPalette global = shared ? GifPalette::of(all, transparency) : GifPalette{};
  auto global_map = global.map();
  EGifSetGifVersion(gif, true);
  bool ok = EGifPutScreenDesc(gif, animation.width, animation.height, 8, 0, shared ? global_map.get() : nullptr);
  if (animation.loops != 1) {
    int repeats = std::clamp(animation.loops - 1, 0, 65535);
    GifByteType block[] = {1, GifByteType(repeats & 255), GifByteType(repeats >> 8)};
    ok = ok && EGifPutExtensionLeader(gif, APPLICATION_EXT_FUNC_CODE) &&
         EGifPutExtensionBlock(gif, 11, "NETSCAPE2.0") && EGifPutExtensionBlock(gif, sizeof block, block) &&
         EGifPutExtensionTrailer(gif);
  }
  for (size_t i = 0; ok && i < animation.frames.size(); ++i) {
    auto& [picture, duration_ms] = animation.frames[i];
    GifPalette palette = shared ? global : GifPalette::of(colors[i], transparency);
    auto local_map = palette.map();
    // With transparency each frame starts from an empty canvas, so that only what it shows needs to be stored.
    Box box = transparency ? opaque_box(picture) : Box{0, 0, picture.width, picture.height};
    if (box.width == 0) box = {0, 0, 1, 1};
    GraphicsControlBlock control{transparency ? DISPOSE_BACKGROUND : DISPOSE_DO_NOT, false,
                                 std::clamp((duration_ms + 5) / 10, 0, 65535), palette.transparent};
    GifByteType block[4];
    ok = EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, int(EGifGCBToExtension(&control, block)), block) &&
         EGifPutImageDesc(gif, box.x, box.y, box.width, box.height, false, shared ? nullptr : local_map.get());
    std::vector<GifPixelType> line(static_cast<size_t>(box.width));
    for (int y = 0; ok && y < box.height; ++y) {
      for (int x = 0; x < box.width; ++x) line[size_t(x)] = palette.index(picture.at(box.x + x, box.y + y));
      ok = EGifPutLine(gif, line.data(), box.width);
    }
  }
  close.release();
  if (EGifCloseFile(gif, &error) == GIF_ERROR || !ok) return fail(Errc::internal, "cannot encode the GIF");
  return bytes;
}

}  // namespace sparky::pixel
