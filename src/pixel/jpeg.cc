#include <csetjmp>
#include <cstdio>
#include <cstring>
// jpeglib.h needs <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>

#include <utility>

#include "pixel/codec.h"

namespace sparky::pixel {
namespace {

// A progressive file may hold any number of scans, each a pass over the whole picture.
constexpr int kMaxScans = 200;

struct Session {
  jpeg_error_mgr errors;  // first, so that a jpeg_error_mgr* is a Session*
  jpeg_progress_mgr progress;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void on_error(j_common_ptr c) {
  auto* session = reinterpret_cast<Session*>(c->err);
  c->err->format_message(c, session->message);
  std::longjmp(session->jump, 1);
}

// libjpeg only warns about damage and fills in grey; damage is an error here.
void on_message(j_common_ptr c, int level) {
  if (level >= 0) return;
  int code = c->err->msg_code;
  if (code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR) return;
  on_error(c);
}

void on_progress(j_common_ptr c) {
  auto* decoder = reinterpret_cast<j_decompress_ptr>(c);
  if (decoder->input_scan_number <= kMaxScans) return;
  auto* session = reinterpret_cast<Session*>(c->err);
  std::snprintf(session->message, sizeof session->message, "more than %d scans", kMaxScans);
  std::longjmp(session->jump, 1);
}

// The Exif orientation (1 to 8) in an APP1 marker; 1 if there is none.
int exif_orientation(std::string_view data) {
  if (!data.starts_with(std::string_view("Exif\0\0", 6))) return 1;
  data.remove_prefix(6);
  bool little = data.starts_with("II");
  if (!little && !data.starts_with("MM")) return 1;
  auto number = [&](size_t at, size_t size) {
    uint32_t v = 0;
    for (size_t i = 0; i < size && at + i < data.size(); ++i)
      v |= uint32_t(uint8_t(data[at + i])) << 8 * (little ? i : size - 1 - i);
    return v;
  };
  size_t directory = number(4, 4);
  for (size_t i = 0, n = number(directory, 2); i < n && directory + 2 + 12 * i + 12 <= data.size(); ++i) {
    size_t entry = directory + 2 + 12 * i;
    uint32_t value = number(entry + 8, 2);
    if (number(entry, 2) == 0x0112 && value >= 1 && value <= 8) return int(value);
  }
  return 1;
}

// Turns the stored picture upright: 2–4 mirror or turn it half, 5–8 swap rows and columns first.
Picture upright(const Picture& in, int orientation) {
  bool transposed = orientation >= 5;
  Picture out(transposed ? in.height : in.width, transposed ? in.width : in.height);
  bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x) {
      int sx = transposed ? y : x, sy = transposed ? x : y;
      out.at(x, y) = in.at(flip_x ? in.width - 1 - sx : sx, flip_y ? in.height - 1 - sy : sy);
    }
  return out;
}

enum class Step { header_read, done, failed };

// Only plain data lives in this frame, since longjmp runs no destructors.
Step read_header(jpeg_decompress_struct& decoder, Session& session, std::string_view bytes) {
  if (setjmp(session.jump)) return Step::failed;
  jpeg_create_decompress(&decoder);
  decoder.progress = &session.progress;
  decoder.mem->max_memory_to_use = 512l << 20;
  jpeg_mem_src(&decoder, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));
  jpeg_save_markers(&decoder, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&decoder, TRUE);
  return Step::header_read;
}

Step read_rows(jpeg_decompress_struct& decoder, Session& session, uint8_t* rows, size_t row_bytes) {
  if (setjmp(session.jump)) return Step::failed;
  bool cmyk = decoder.jpeg_color_space == JCS_CMYK || decoder.jpeg_color_space == JCS_YCCK;
  decoder.out_color_space = cmyk ? JCS_CMYK : JCS_EXT_RGBA;
  jpeg_start_decompress(&decoder);
  while (decoder.output_scanline < decoder.output_height) {
    JSAMPROW row = rows + row_bytes * decoder.output_scanline;
    jpeg_read_scanlines(&decoder, &row, 1);
  }
  jpeg_finish_decompress(&decoder);
  return Step::done;
}

}  // namespace

Result<Picture> decode_jpeg(std::string_view bytes, std::string_view name, const Limits& limits) {
  jpeg_decompress_struct decoder{};
  Session session{};
  decoder.err = jpeg_std_error(&session.errors);
  session.errors.error_exit = on_error;
  session.errors.emit_message = on_message;
  session.progress.progress_monitor = on_progress;
  struct Destroy {
    jpeg_decompress_struct& decoder;
    ~Destroy() { jpeg_destroy_decompress(&decoder); }
  } destroy{decoder};

  if (read_header(decoder, session, bytes) == Step::failed) return broken(name, "JPEG", session.message);
  SPARKY_TRY(check_size(name, decoder.image_width, decoder.image_height, limits));
  int orientation = 1;
  for (auto* m = decoder.marker_list; m; m = m->next)
    if (m->marker == JPEG_APP0 + 1)
      orientation = exif_orientation({reinterpret_cast<const char*>(m->data), m->data_length});
  Picture picture(int(decoder.image_width), int(decoder.image_height));
  if (read_rows(decoder, session, reinterpret_cast<uint8_t*>(picture.pixels.data()), size_t(picture.width) * 4) ==
      Step::failed)
    return broken(name, "JPEG", session.message);
  if (decoder.out_color_space == JCS_CMYK) {
    // Adobe's writers, the only ones that make CMYK files, store them inverted.
    bool inverted = decoder.saw_Adobe_marker;
    for (Rgba& p : picture.pixels) {
      auto ink = [&](uint8_t v) { return inverted ? v : 255 - v; };
      p = {uint8_t(ink(p.r) * ink(p.a) / 255), uint8_t(ink(p.g) * ink(p.a) / 255), uint8_t(ink(p.b) * ink(p.a) / 255),
           255};
    }
  }
  return orientation == 1 ? std::move(picture) : upright(picture, orientation);
}

}  // namespace sparky::pixel
