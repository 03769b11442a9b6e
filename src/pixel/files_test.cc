#include "pixel/files.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <set>

#include "base/files.h"
#include "pixel/random_picture.h"

namespace sparky::pixel {
namespace {

namespace fs = std::filesystem;

std::string corpus(const std::string& file) {
  return read_file(fs::path(SPARKY_SOURCE_DIR) / "src/pixel/files_fuzz.corpus" / file).value();
}

RC_GTEST_PROP(Png, rgba_round_trip_is_exact, ()) {
  Picture p = *random_picture(24);
  PngOptions options;
  options.text["prompt"] = "a red dragon, 32×32";
  options.text["plain"] = "two\nlines";
  auto bytes = encode_png(p, options).value();
  RC_ASSERT(decode_picture(bytes).value() == p);
  RC_ASSERT(decode_png_text(bytes).value() == options.text);
}

RC_GTEST_PROP(Png, indexed_round_trip_is_exact, ()) {
  IndexedPicture p = *random_indexed(20);
  auto bytes = encode_png(p).value();
  RC_ASSERT(decode_indexed_png(bytes).value() == p);
  RC_ASSERT(decode_picture(bytes).value() == to_rgba(p));
}

RC_GTEST_PROP(Animations, apng_round_trip_is_exact, ()) {
  Animation a = *random_animation(12, false);
  RC_ASSERT(decode_animation(encode_apng(a).value()).value() == a);
}

RC_GTEST_PROP(Animations, gif_round_trip_is_exact, ()) {
  Animation a = *random_animation(12, true);
  RC_ASSERT(decode_animation(encode_gif(a).value()).value() == a);
}

RC_GTEST_PROP(Decoders, cut_files_are_refused, (const std::vector<int>& where)) {
  for (std::string file : {"rgba.png", "photo.jpg", "lossless.webp", "walk.gif", "walk.apng", "walk.webp"}) {
    std::string bytes = corpus(file);
    for (int w : where) {
      auto cut = decode_animation(std::string_view(bytes).substr(0, size_t(w & 0xffff) % (bytes.size() - 24)), file);
      RC_ASSERT(!cut.has_value());
      RC_ASSERT(cut.error().is(Errc::invalid));
      RC_ASSERT(cut.error().message.starts_with(file));
    }
  }
}

TEST(Decoders, read_what_other_programs_wrote) {
  // Each shows the same 6×4 picture: red, green, blue, white in quarters of columns; made with Pillow and cwebp.
  for (std::string file : {"rgba.png", "gray16.png", "interlaced.png", "palette.png", "lossless.webp", "still.gif"}) {
    auto p = decode_picture(corpus(file), file);
    ASSERT_TRUE(p) << p.error().text();
    EXPECT_EQ(p->width, 6) << file;
    EXPECT_EQ(p->height, 4) << file;
    if (file == "gray16.png") continue;
    EXPECT_EQ(p->at(0, 0), (Rgba{255, 0, 0, 255})) << file;
    EXPECT_EQ(p->at(2, 0), (Rgba{0, 255, 0, 255})) << file;
    EXPECT_EQ(p->at(5, 3), (Rgba{0, 0, 255, 255})) << file;
    EXPECT_EQ(p->at(0, 3).a, 0) << file;
  }
  auto jpeg = decode_picture(corpus("photo.jpg"), "photo.jpg").value();
  EXPECT_EQ(jpeg.width, 16);
  EXPECT_NEAR(jpeg.at(2, 2).r, 200, 12);
  EXPECT_NEAR(jpeg.at(13, 13).b, 180, 12);
  auto turned = decode_picture(corpus("turned.jpg"), "turned.jpg").value();  // Exif orientation 6
  EXPECT_EQ(turned.width, 8);
  EXPECT_EQ(turned.height, 16);
  EXPECT_NEAR(turned.at(4, 2).r, 200, 16);
  EXPECT_LT(turned.at(4, 13).r, 40);
  auto cmyk = decode_picture(corpus("cmyk.jpg"), "cmyk.jpg").value();
  EXPECT_NEAR(cmyk.at(4, 4).r, 200, 12);
  EXPECT_NEAR(cmyk.at(4, 4).g, 60, 12);
}

TEST(Decoders, animations_of_other_programs) {
  for (std::string file : {"walk.gif", "walk.apng", "walk.webp"}) {
    auto a = decode_animation(corpus(file), file);
    ASSERT_TRUE(a) << a.error().text();
    ASSERT_EQ(a->frames.size(), 3u) << file;
    EXPECT_EQ(a->loops, 0) << file;
    for (int i = 0; i < 3; ++i) {  // a white pixel walks to the right over blue
      EXPECT_EQ(a->frames[size_t(i)].duration_ms, 120) << file;
      for (int x = 0; x < 8; ++x)
        EXPECT_EQ(a->frames[size_t(i)].picture.at(x, 2), (x == 2 + i ? Rgba{255, 255, 255, 255} : Rgba{0, 0, 128, 255}))
            << file << " frame " << i << " x " << x;
    }
  }
}

TEST(Decoders, a_lying_header_costs_nothing) {
  auto lied = decode_picture(corpus("lying.png"), "lie.png");
  ASSERT_FALSE(lied);
  EXPECT_EQ(lied.error().message, "lie.png: broken PNG: the header promises 8192×8192, but the file ends early");
  auto big = decode_picture(corpus("rgba.png"), "big.png", Limits{1 << 20, 4, 1 << 20, 10});
  ASSERT_FALSE(big);
  EXPECT_EQ(big.error().message, "big.png: 6×4 is larger than 4 pixels a side, the limit");
  auto many = decode_animation(corpus("walk.gif"), "walk.gif", Limits{1 << 20, 100, 100, 10});
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().message, "walk.gif: 2 frames of 8×8 are more than 100 pixels, the limit");
  for (std::string file : {"walk.gif", "walk.apng", "walk.webp"})
    EXPECT_FALSE(decode_animation(corpus(file), file, Limits{1 << 20, 100, 1000, 2})) << file;
}

TEST(Decoders, say_what_is_wrong) {
  EXPECT_EQ(decode_picture("", "a.png").error().message, "a.png: the file is empty");
  EXPECT_EQ(decode_picture("hello", "a.png").error().message, "a.png: not a picture that can be read");
  std::string png = corpus("rgba.png");
  png[png.size() - 20] ^= 1;  // in the last IDAT
  EXPECT_FALSE(decode_picture(png, "a.png"));
}

TEST(Files, a_wrong_suffix_does_not_matter) {
  auto path = fs::temp_directory_path() / ("sparky-pixel-" + std::to_string(::getpid())) / "really-a-gif.png";
  ASSERT_TRUE(write_file_atomic(path, corpus("still.gif")));
  EXPECT_EQ(read_picture(path).value().width, 6);
  Picture p(3, 2, {1, 2, 3, 4});
  ASSERT_TRUE(write_png(path, p));
  EXPECT_EQ(read_picture(path).value(), p);
  fs::remove_all(path.parent_path());
  EXPECT_TRUE(read_picture(path).error().is(Errc::not_found));
}

TEST(Files, what_gif_cannot_hold_is_refused) {
  Animation a{2, 1, {{Picture(2, 1, {9, 9, 9, 128}), 100}}, 0};
  EXPECT_EQ(encode_gif(a).error().message, "frame 1 has half-transparent pixels, which GIF cannot hold");
  Picture many(256, 1);
  for (int x = 0; x < 256; ++x) many.at(x, 0) = {uint8_t(x), 0, 0, 255};
  EXPECT_EQ(encode_gif({256, 1, {{many, 100}}, 0}).error().message,
            "frame 1 has 256 colours, a GIF holds 255 and transparency");
}

TEST(Indexed, more_than_256_colours_are_not_indexed) {
  Picture p(257, 1);
  for (int x = 0; x < 257; ++x) p.at(x, 0) = {uint8_t(x), uint8_t(x >> 8), 0, 255};
  EXPECT_FALSE(to_indexed(p));
  p.at(256, 0) = p.at(0, 0);
  EXPECT_EQ(to_rgba(to_indexed(p).value()), p);
}

}  // namespace
}  // namespace sparky::pixel
