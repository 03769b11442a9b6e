#include "pixel/degrade.h"

#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csetjmp>
#include <cstdlib>
#include <numbers>
#include <random>

namespace sparky::pixel {
namespace {

constexpr int kChannels = 4;
using Sample = std::array<float, kChannels>;

// Premultiplied floats, so that blur does not bleed the colour of transparent pixels.
struct Canvas {
  int width = 0, height = 0;
  std::vector<Sample> samples;
  Sample& at(int x, int y) { return samples[size_t(y) * size_t(width) + size_t(x)]; }
};

Sample premultiplied(Rgba p) {
  const float a = float(p.a) / 255.0f;
  return {float(p.r) * a, float(p.g) * a, float(p.b) * a, float(p.a)};
}

uint8_t byte(float v) { return uint8_t(std::clamp(std::lround(v), 0l, 255l)); }

Picture to_picture(const Canvas& canvas) {
  Picture out(canvas.width, canvas.height);
  for (size_t i = 0; i < out.pixels.size(); ++i) {
    const Sample& s = canvas.samples[i];
    const float back = s[3] > 0 ? 255.0f / s[3] : 0;
    out.pixels[i] = {byte(s[0] * back), byte(s[1] * back), byte(s[2] * back), byte(s[3])};
    if (out.pixels[i].a == 0) out.pixels[i] = {};
  }
  return out;
}

// Where an output position falls on the sprite, in true pixels. One slow wave per axis is the wobble.
struct Mapping {
  const Degradation& how;
  double wave_x, wave_y, cos_tilt, sin_tilt, middle_x, middle_y;

  std::array<double, 2> operator()(double x, double y) const {
    const double dx = x - middle_x, dy = y - middle_y;
    const double u = (cos_tilt * dx + sin_tilt * dy + middle_x - how.shift_x) / how.scale_x;
    const double v = (-sin_tilt * dx + cos_tilt * dy + middle_y - how.shift_y) / how.scale_y;
    const double turn = 2 * std::numbers::pi;
    return {u + how.wobble * std::sin(turn * (x / (2 * middle_x) + wave_x)),
            v + how.wobble * std::sin(turn * (y / (2 * middle_y) + wave_y))};
  }
};

Canvas blank(const Picture& sprite, const Degradation& how) {
  Canvas out;
  out.width = std::max(1, int(std::lround(sprite.width * how.scale_x)));
  out.height = std::max(1, int(std::lround(sprite.height * how.scale_y)));
  out.samples.resize(size_t(out.width) * size_t(out.height));
  return out;
}

// Bent or tilted grids: 5 × 5 samples an output pixel if soft.
Canvas enlarge_bent(const Picture& sprite, const Degradation& how, std::mt19937_64& random) {
  Canvas out = blank(sprite, how);
  std::uniform_real_distribution<double> uniform(0, 1);
  const double tilt = how.tilt_degrees * std::numbers::pi / 180;
  const Mapping map{
      how, uniform(random), uniform(random), std::cos(tilt), std::sin(tilt), out.width / 2.0, out.height / 2.0};
  const int taps = how.soft ? 5 : 1;
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      Sample sum{};
      for (int i = 0; i < taps * taps; ++i) {
        const auto [u, v] = map(x + (i % taps + 0.5) / taps, y + (i / taps + 0.5) / taps);
        const int column = std::clamp(int(std::floor(u)), 0, sprite.width - 1);
        const int row = std::clamp(int(std::floor(v)), 0, sprite.height - 1);
        const Sample s = premultiplied(sprite.at(column, row));
        for (size_t c = 0; c < kChannels; ++c) sum[c] += s[c] / float(taps * taps);
      }
      out.at(x, y) = sum;
    }
  }
  return out;
}

// An output pixel of a straight grid sees two true pixels along an axis, the second with this share (scale >= 1).
struct Seen {
  int first, second;
  float second_share;
};

std::vector<Seen> seen_along(int length, int true_length, double scale, double shift, bool soft) {
  std::vector<Seen> out(size_t(length), Seen{});
  for (int x = 0; x < length; ++x) {
    const auto clamped = [&](double u) { return std::clamp(int(std::floor(u)), 0, true_length - 1); };
    const double low = (x - shift) / scale, high = (x + 1 - shift) / scale;
    const int middle = clamped((low + high) / 2);
    out[size_t(x)] = {middle, middle, 0};
    if (soft && clamped(low) != clamped(high)) {
      out[size_t(x)] = {clamped(low), clamped(high), float((high - std::floor(high)) / (high - low))};
    }
  }
  return out;
}

Canvas enlarge_straight(const Picture& sprite, const Degradation& how) {
  Canvas out = blank(sprite, how);
  const auto columns = seen_along(out.width, sprite.width, how.scale_x, how.shift_x, how.soft);
  const auto rows = seen_along(out.height, sprite.height, how.scale_y, how.shift_y, how.soft);
  for (int y = 0; y < out.height; ++y) {
    const auto [top, bottom, down] = rows[size_t(y)];
    for (int x = 0; x < out.width; ++x) {
      const auto [left, right, over] = columns[size_t(x)];
      const Sample a = premultiplied(sprite.at(left, top)), b = premultiplied(sprite.at(right, top));
      const Sample c = premultiplied(sprite.at(left, bottom)), d = premultiplied(sprite.at(right, bottom));
      for (size_t i = 0; i < kChannels; ++i) {
        out.at(x, y)[i] = (1 - down) * ((1 - over) * a[i] + over * b[i]) + down * ((1 - over) * c[i] + over * d[i]);
      }
    }
  }
  return out;
}

void blur(Canvas& canvas, double sigma) {
  const int reach = int(std::ceil(3 * sigma));
  std::vector<float> kernel(size_t(reach) + 1);
  float total = 0;
  for (int i = -reach; i <= reach; ++i) total += std::exp(-0.5f * float(i * i) / float(sigma * sigma));
  for (int i = 0; i <= reach; ++i) kernel[size_t(i)] = std::exp(-0.5f * float(i * i) / float(sigma * sigma)) / total;
  for (const bool along_x : {true, false}) {
    Canvas out = canvas;
    for (int y = 0; y < canvas.height; ++y) {
      for (int x = 0; x < canvas.width; ++x) {
        Sample sum{};
        for (int i = -reach; i <= reach; ++i) {
          const Sample& s = along_x ? canvas.at(std::clamp(x + i, 0, canvas.width - 1), y)
                                    : canvas.at(x, std::clamp(y + i, 0, canvas.height - 1));
          for (size_t c = 0; c < kChannels; ++c) sum[c] += s[c] * kernel[size_t(std::abs(i))];
        }
        out.at(x, y) = sum;
      }
    }
    canvas = std::move(out);
  }
}

Picture jittered(Picture sprite, double sigma, std::mt19937_64& random) {
  std::normal_distribution<float> normal(0, float(sigma));
  for (Rgba& p : sprite.pixels) {
    if (p.a == 0) continue;
    for (uint8_t* channel : {&p.r, &p.g, &p.b}) *channel = byte(float(*channel) + normal(random));
  }
  return sprite;
}

void add_noise(Picture& picture, double sigma, std::mt19937_64& random) {
  std::normal_distribution<float> normal(0, float(sigma));
  for (Rgba& p : picture.pixels) {
    for (uint8_t* channel : {&p.r, &p.g, &p.b}) *channel = byte(float(*channel) + normal(random));
  }
}

struct JpegError {
  jpeg_error_mgr manager;
  std::jmp_buf escape;
};
void leave(j_common_ptr info) { std::longjmp(reinterpret_cast<JpegError*>(info->err)->escape, 1); }

// Through libjpeg and back. Plain C inside, so that a longjmp passes no destructor.
bool jpeg_round_trip(std::vector<uint8_t>& rgb, int width, int height, int quality) {
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  JpegError error;
  jpeg_compress_struct out{};
  jpeg_decompress_struct in{};
  out.err = in.err = jpeg_std_error(&error.manager);
  error.manager.error_exit = leave;
  if (setjmp(error.escape) != 0) {
    jpeg_destroy_compress(&out);
    jpeg_destroy_decompress(&in);
    std::free(bytes);
    return false;
  }
  jpeg_create_compress(&out);
  jpeg_mem_dest(&out, &bytes, &size);
  out.image_width = JDIMENSION(width);
  out.image_height = JDIMENSION(height);
  out.input_components = 3;
  out.in_color_space = JCS_RGB;
  jpeg_set_defaults(&out);  // 4:2:0
  jpeg_set_quality(&out, quality, TRUE);
  jpeg_start_compress(&out, TRUE);
  const size_t stride = size_t(width) * 3;
  while (out.next_scanline < out.image_height) {
    JSAMPROW row = rgb.data() + stride * out.next_scanline;
    jpeg_write_scanlines(&out, &row, 1);
  }
  jpeg_finish_compress(&out);
  jpeg_destroy_compress(&out);

  jpeg_create_decompress(&in);
  jpeg_mem_src(&in, bytes, size);
  jpeg_read_header(&in, TRUE);
  jpeg_start_decompress(&in);
  while (in.output_scanline < in.output_height) {
    JSAMPROW row = rgb.data() + stride * in.output_scanline;
    jpeg_read_scanlines(&in, &row, 1);
  }
  jpeg_finish_decompress(&in);
  jpeg_destroy_decompress(&in);
  std::free(bytes);
  return true;
}

Status through_jpeg(Picture& picture, int quality) {
  std::vector<uint8_t> rgb;
  rgb.reserve(picture.pixels.size() * 3);
  for (const Rgba p : picture.pixels) {
    const float a = float(p.a) / 255.0f;
    for (const uint8_t channel : {p.r, p.g, p.b}) rgb.push_back(byte(float(channel) * a + 255.0f * (1 - a)));
  }
  if (!jpeg_round_trip(rgb, picture.width, picture.height, quality)) {
    return fail(Errc::internal, "libjpeg refused the picture");
  }
  for (size_t i = 0; i < picture.pixels.size(); ++i) {
    picture.pixels[i] = {rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255};
  }
  return {};
}

}  // namespace

Result<Picture> degrade(const Picture& sprite, const Degradation& how) {
  if (sprite.empty()) return fail(Errc::invalid, "cannot degrade an empty picture");
  if (how.scale_x < 1 || how.scale_y < 1 || how.scale_x * sprite.width > 16384 || how.scale_y * sprite.height > 16384) {
    return fail(Errc::invalid, "the scale must be at least 1 and the result at most 16384 pixels a side");
  }
  if (how.jpeg_quality < 0 || how.jpeg_quality > 100) return fail(Errc::invalid, "JPEG quality must be 0 to 100");
  std::mt19937_64 random(how.seed);
  const Picture colored = how.cell_jitter > 0 ? jittered(sprite, how.cell_jitter, random) : sprite;
  const bool bent = how.wobble != 0 || how.tilt_degrees != 0;
  Canvas canvas = bent ? enlarge_bent(colored, how, random) : enlarge_straight(colored, how);
  if (how.blur > 0) blur(canvas, how.blur);
  Picture out = to_picture(canvas);
  if (how.noise > 0) add_noise(out, how.noise, random);
  if (how.jpeg_quality > 0) SPARKY_TRY(through_jpeg(out, how.jpeg_quality));
  return out;
}

}  // namespace sparky::pixel
