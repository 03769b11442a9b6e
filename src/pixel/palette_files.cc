#include "pixel/palette_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "pixel/color.h"
#include "pixel/files.h"

namespace sparky::pixel {
namespace {

std::unexpected<Error> wrong(std::string_view name, size_t line, std::string message, std::string help = {}) {
  return fail(Errc::invalid, fmt::format("{}:{}: {}", name, line, message), std::move(help));
}

// --- text formats -----------------------------------------------------------------------------------------------

// Splits "12 34  56 a name" into up to `count` channels, leaving the rest.
std::vector<uint8_t> channels(std::string_view& line, size_t count) {
  std::vector<uint8_t> out;
  while (out.size() < count) {
    auto start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) break;
    unsigned v = 0;
    auto [end, error] = std::from_chars(line.data() + start, line.data() + line.size(), v);
    bool whole = end == line.data() + line.size() || *end == ' ' || *end == '\t';
    if (error != std::errc() || v > 255 || !whole) break;
    out.push_back(uint8_t(v));
    line.remove_prefix(size_t(end - line.data()));
  }
  return out;
}

Result<Palette> decode_gpl(std::string_view bytes, std::string_view name) {
  Palette out;
  size_t number = 0, wanted = 3;
  bool named = false;
  for (auto raw : split(bytes, '\n')) {
    auto line = trim(raw);
    if (++number == 1 || line.empty()) continue;
    if (line.starts_with("Name:")) {
      out.name = trim(line.substr(5));
    } else if (line.starts_with("#Author:")) {
      out.author = trim(line.substr(8));
    } else if (line.starts_with("Channels:")) {
      if (trim(line.substr(9)) == "RGBA") wanted = 4;
    } else if (!line.starts_with('#') && !line.starts_with("Columns:")) {
      auto c = channels(line, wanted);
      if (c.size() < wanted)
        return wrong(
            name, number, fmt::format("not a colour: \"{}\"", printable(trim(raw))),
            wanted == 3 ? "three numbers from 0 to 255, then a name" : "four numbers from 0 to 255, then a name");
      out.colors.push_back({c[0], c[1], c[2], wanted == 4 ? c[3] : uint8_t(255)});
      auto label = trim(line);
      out.color_names.emplace_back(label);
      named |= !label.empty() && label != "Untitled";
    }
  }
  if (!named) out.color_names.clear();
  return out;
}

Result<Palette> decode_hex(std::string_view bytes, std::string_view name) {
  Palette out;
  size_t number = 0;
  for (auto raw : split(bytes, '\n')) {
    auto line = trim(raw);
    ++number;
    if (line.empty() || line.starts_with(';')) continue;
    auto color = parse_color(line);
    if (!color || line.size() < 6)
      return wrong(name, number, fmt::format("not a colour: \"{}\"", printable(line.substr(0, 40))),
                   "rrggbb in hexadecimal, one a line");
    out.colors.push_back(*color);
  }
  return out;
}

Result<Palette> decode_jasc(std::string_view bytes, std::string_view name) {
  Palette out;
  size_t number = 0, promised = 0;
  for (auto raw : split(bytes, '\n')) {
    auto line = trim(raw);
    if (++number <= 2 || line.empty()) continue;
    if (number == 3) {
      auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), promised);
      if (error != std::errc() || promised > kMaxPaletteColors) return wrong(name, 3, "not a number of colours");
      continue;
    }
    auto c = channels(line, 4);
    if (c.size() < 3 || !trim(line).empty())
      return wrong(name, number, fmt::format("not a colour: \"{}\"", printable(trim(raw))),
                   "three numbers from 0 to 255");
    out.colors.push_back({c[0], c[1], c[2], c.size() == 4 ? c[3] : uint8_t(255)});
  }
  if (out.colors.size() != promised)
    return wrong(name, 3, fmt::format("{} colours are promised, {} follow", promised, out.colors.size()));
  return out;
}

Result<Palette> decode_lospec(std::string_view bytes, std::string_view name) {
  auto json = parse_json(bytes, {.bytes = 8u << 20, .depth = 8, .values = 1u << 20});
  if (!json) return fail(Errc::invalid, fmt::format("{}:{}", name, json.error().message));
  auto colors = json->find("colors");
  if (!json->is_object() || colors == json->end() || !colors->is_array())
    return fail(Errc::invalid, fmt::format("{}: no list \"colors\"", name), R"({"name": …, "colors": ["rrggbb", …]})");
  Palette out;
  for (size_t i = 0; i < colors->size(); ++i) {
    auto& entry = (*colors)[i];
    auto color = entry.is_string() ? parse_color(entry.get_ref<const std::string&>()) : std::nullopt;
    if (!color) return fail(Errc::invalid, fmt::format("{}: colors[{}] is not \"rrggbb\"", name, i));
    out.colors.push_back(*color);
  }
  auto text = [&](const char* field) {
    auto it = json->find(field);
    return it != json->end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  out.name = text("name");
  out.author = text("author");
  return out;
}

// --- binary formats ---------------------------------------------------------------------------------------------

// 256 × RGB; then, in newer files, how many count and which is transparent (0xffff: none), 16 bits each.
Result<Palette> decode_act(std::string_view bytes) {
  auto byte = [&](size_t at) { return uint8_t(bytes[at]); };
  size_t count = 256, transparent = 0xffff;
  if (bytes.size() == 772) {
    count = size_t(byte(768)) << 8 | byte(769);
    transparent = size_t(byte(770)) << 8 | byte(771);
    if (count == 0 || count > 256) count = 256;
  }
  Palette out;
  for (size_t i = 0; i < count; ++i)
    out.colors.push_back({byte(3 * i), byte(3 * i + 1), byte(3 * i + 2), uint8_t(i == transparent ? 0 : 255)});
  return out;
}

// Big-endian reader that never passes the end.
struct Reader {
  std::string_view bytes;
  size_t at = 0;
  bool short_read = false;
  uint64_t number(size_t size) {
    if (bytes.size() - at < size) {
      short_read = true;
      return 0;
    }
    uint64_t v = 0;
    while (size--) v = v << 8 | uint8_t(bytes[at++]);
    return v;
  }
  float real() { return std::bit_cast<float>(uint32_t(number(4))); }
};

void append(std::string& out, uint64_t v, int size) {
  for (int i = size - 1; i >= 0; --i) out += char(v >> 8 * i & 255);
}

uint8_t channel8(float v) { return v >= 0 ? uint8_t(std::lround(std::min(v, 1.0f) * 255)) : uint8_t(0); }  // NaN: 0

// CIE L*a*b* with D50, as Adobe's programs mean it, to sRGB.
Rgba from_cie_lab(float l, float a, float b) {
  float fy = (l * 100 + 16) / 116, fx = fy + a / 500, fz = fy - b / 200;
  auto f = [](float t) { return t > 6 / 29.0f ? t * t * t : 3 * (6 / 29.0f) * (6 / 29.0f) * (t - 4 / 29.0f); };
  float x = 0.96422f * f(fx), y = f(fy), z = 0.82521f * f(fz);
  auto gamma = [](float v) { return channel8(v <= 0.0031308f ? 12.92f * v : 1.055f * std::pow(v, 1 / 2.4f) - 0.055f); };
  return {gamma(3.1338561f * x - 1.6168667f * y - 0.4906146f * z),
          gamma(-0.9787684f * x + 1.9161415f * y + 0.0334540f * z),
          gamma(0.0719453f * x - 0.2289914f * y + 1.4052427f * z), 255};
}

std::string utf8_of_utf16(Reader& in, size_t units) {
  std::string out;
  for (size_t i = 0; i < units && !in.short_read; ++i) {
    uint32_t c = uint32_t(in.number(2));
    if (c == 0) continue;
    if (c >= 0xd800 && c < 0xdc00 && i + 1 < units) {
      uint32_t low = uint32_t(in.number(2));
      ++i;
      c = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
    } else if (c >= 0xd800 && c < 0xe000) {
      c = 0xfffd;
    }
    if (c < 0x80) {
      out += char(c);
      continue;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    out += char((more == 1 ? 0xc0u : more == 2 ? 0xe0u : 0xf0u) | c >> 6 * more);
    for (int k = more - 1; k >= 0; --k) out += char(0x80 | (c >> 6 * k & 0x3f));
  }
  return out;
}

std::u16string utf16_of_utf8(const std::string& text) {
  std::u16string out;
  for (size_t i = 0; i < text.size();) {
    unsigned char lead = uint8_t(text[i]);
    int more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    uint32_t c = more == 0 ? lead : lead & (0x3fu >> more);
    for (int k = 1; k <= more && i + size_t(k) < text.size(); ++k) c = c << 6 | (uint8_t(text[i + size_t(k)]) & 0x3f);
    i += size_t(more) + 1;
    if (c >= 0x10000) {
      out += char16_t(0xd800 + ((c - 0x10000) >> 10));
      c = 0xdc00 + ((c - 0x10000) & 0x3ff);
    }
    out += char16_t(c);
  }
  return out;
}

// Adobe Swatch Exchange 1.0: "ASEF", version, number of blocks, then blocks of a type and a length.
Result<Palette> decode_ase(std::string_view bytes, std::string_view name) {
  auto broken = [&](std::string_view why) {
    return fail(Errc::invalid, fmt::format("{}: broken Adobe Swatch Exchange file: {}", name, why));
  };
  if (bytes.size() < 12) return broken("it ends early");
  Reader in{bytes, 8};
  uint64_t blocks = in.number(4);
  Palette out;
  bool named = false;
  for (uint64_t i = 0; i < blocks; ++i) {
    uint64_t type = in.number(2), length = in.number(4);
    if (in.short_read || length > bytes.size() - in.at) return broken("it ends early");
    Reader block{bytes.substr(in.at, length)};
    in.at += length;
    if (type == 0xc001 && out.name.empty()) out.name = utf8_of_utf16(block, block.number(2));
    if (type != 1) continue;
    std::string label = utf8_of_utf16(block, block.number(2));
    uint64_t model = block.number(4);
    Rgba color;
    if (model == 0x52474220) {  // "RGB "
      float r = block.real(), g = block.real(), b = block.real();
      color = {channel8(r), channel8(g), channel8(b), 255};
    } else if (model == 0x434d594b) {  // "CMYK"
      float c = block.real(), m = block.real(), y = block.real(), k = block.real();
      color = {channel8((1 - c) * (1 - k)), channel8((1 - m) * (1 - k)), channel8((1 - y) * (1 - k)), 255};
    } else if (model == 0x4c414220) {  // "LAB "
      float l = block.real(), a = block.real(), b = block.real();
      color = from_cie_lab(l, a, b);
    } else if (model == 0x47726179) {  // "Gray"
      uint8_t v = channel8(block.real());
      color = {v, v, v, 255};
    } else {
      return broken(fmt::format("colour {} is of an unknown model", out.colors.size() + 1));
    }
    if (block.short_read) return broken(fmt::format("colour {} ends early", out.colors.size() + 1));
    named |= !label.empty();
    out.colors.push_back(color);
    out.color_names.push_back(std::move(label));
  }
  if (!named) out.color_names.clear();
  return out;
}

Result<Palette> decode_picture_palette(std::string_view bytes, std::string_view name) {
  SPARKY_ASSIGN(auto picture, decode_picture(bytes, name));
  Palette out;
  if (picture.height == 1) {
    out.colors = picture.pixels;
    return out;
  }
  std::set<Rgba> seen;
  for (Rgba c : picture.pixels) {
    if (c.a == 0 || !seen.insert(c).second) continue;
    out.colors.push_back(c);
    if (out.colors.size() > kMaxPaletteColors)
      return fail(Errc::invalid, fmt::format("{}: more than {} colours", name, kMaxPaletteColors),
                  "reduce them first: sparky palette extract IN -n 32 -o OUT");
  }
  return out;
}

// --- writing ----------------------------------------------------------------------------------------------------

// A name as one line without what would end it.
std::string one_line(std::string_view text) {
  std::string out(trim(text));
  std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return std::string(trim(out));
}

std::string encode_gpl(const Palette& p, bool alpha) {
  std::string out = "GIMP Palette\n";
  if (alpha) out += "Channels: RGBA\n";  // Aseprite wants it before the name
  out += fmt::format("Name: {}\n", one_line(p.name));
  if (!p.author.empty()) out += fmt::format("#Author: {}\n", one_line(p.author));
  out += "#\n";
  for (size_t i = 0; i < p.colors.size(); ++i) {
    Rgba c = p.colors[i];
    out += fmt::format("{:3} {:3} {:3}", c.r, c.g, c.b);
    if (alpha) out += fmt::format(" {:3}", c.a);
    std::string label = p.color_names.empty() ? "" : one_line(p.color_names[i]);
    out += "\t" + (label.empty() ? "Untitled" : label) + "\n";
  }
  return out;
}

Result<std::string> encode_act(const Palette& p) {
  std::string out;
  size_t transparent = 0xffff;
  for (size_t i = 0; i < p.colors.size(); ++i) {
    Rgba c = p.colors[i];
    if (c.a != 255 && (c.a != 0 || transparent != 0xffff))
      return fail(Errc::invalid, "an .act file holds opaque colours and one transparent entry", "write .gpl or .hex");
    if (c.a == 0) transparent = i;
    for (uint8_t v : {c.r, c.g, c.b}) out += char(v);
  }
  out.resize(768);
  append(out, p.colors.size(), 2);
  append(out, transparent, 2);
  return out;
}

std::string encode_ase(const Palette& p) {
  auto text = [](std::string& out, const std::string& value) {
    auto wide = utf16_of_utf8(value).substr(0, 1024);
    append(out, wide.size() + 1, 2);
    for (char16_t c : wide) append(out, c, 2);
    append(out, 0, 2);
  };
  auto block = [](std::string& out, int type, const std::string& data) {
    append(out, uint64_t(type), 2);
    append(out, data.size(), 4);
    out += data;
  };
  std::string out = "ASEF";
  append(out, 1, 2);
  append(out, 0, 2);
  append(out, p.colors.size() + (p.name.empty() ? 0 : 2), 4);
  if (!p.name.empty()) {
    std::string data;
    text(data, p.name);
    block(out, 0xc001, data);
  }
  for (size_t i = 0; i < p.colors.size(); ++i) {
    std::string data;
    text(data, p.color_names.empty() ? "" : p.color_names[i]);
    data += "RGB ";
    for (uint8_t v : {p.colors[i].r, p.colors[i].g, p.colors[i].b})
      append(data, std::bit_cast<uint32_t>(float(v) / 255), 4);
    append(data, 2, 2);  // a colour of its own, not a global or spot colour
    block(out, 1, data);
  }
  if (!p.name.empty()) block(out, 0xc002, "");
  return out;
}

}  // namespace

Result<Palette> decode_palette(std::string_view bytes, std::string_view name) {
  auto decode = [&]() -> Result<Palette> {
    // A colour table has no mark of its own, only its size; its first colours may look like any mark.
    bool text = std::ranges::all_of(bytes, [](char c) { return static_cast<unsigned char>(c) >= 9 && c != 127; });
    bool table = (bytes.size() == 768 || bytes.size() == 772) && !text;
    if (sniff(bytes))
      if (auto picture = decode_picture_palette(bytes, name); picture || !table) return picture;
    if (table && !bytes.starts_with("ASEF")) return decode_act(bytes);
    if (bytes.starts_with("ASEF")) return decode_ase(bytes, name);
    if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
    if (bytes.starts_with("GIMP Palette")) return decode_gpl(bytes, name);
    if (bytes.starts_with("JASC-PAL")) return decode_jasc(bytes, name);
    if (trim(bytes).starts_with('{')) return decode_lospec(bytes, name);
    if (bytes.size() == 768 && !decode_hex(bytes, name)) return decode_act(bytes);
    if (text) return decode_hex(bytes, name);
    return fail(Errc::invalid, fmt::format("{}: not a palette that can be read", name),
                "give .gpl, .hex, .pal (JASC), .act, .ase, Lospec .json or a picture");
  };
  SPARKY_ASSIGN(auto palette, decode());
  if (palette.colors.empty()) return fail(Errc::invalid, fmt::format("{}: the palette has no colour", name));
  if (palette.colors.size() > kMaxPaletteColors)
    return fail(Errc::invalid, fmt::format("{}: more than {} colours", name, kMaxPaletteColors));
  return palette;
}

Result<Palette> read_palette(const std::filesystem::path& path) {
  SPARKY_ASSIGN(auto bytes, read_file(path, Limits().bytes));
  SPARKY_ASSIGN(auto palette, decode_palette(bytes, path.string()));
  if (palette.name.empty()) palette.name = path.stem().string();
  return palette;
}

Result<Palette> find_palette(const std::string& name_or_path) {
  if (auto* palette = find_builtin_palette(name_or_path)) return *palette;
  auto palette = read_palette(name_or_path);
  if (palette || !palette.error().is(Errc::not_found)) return palette;
  std::vector<std::string> names;
  for (auto& p : builtin_palettes()) names.push_back(p.name);
  auto guess = nearest(name_or_path, names);
  return fail(Errc::not_found, fmt::format("{} is neither a built-in palette nor a file", name_or_path),
              guess ? fmt::format("did you mean {}?", *guess) : "`sparky palette list` names the built-in ones");
}

Result<std::string> encode_palette(const Palette& palette, PaletteFormat format) {
  bool alpha = std::ranges::any_of(palette.colors, [](Rgba c) { return c.a != 255; });
  if (palette.colors.empty()) return fail(Errc::invalid, "the palette has no colour");
  if (!palette.color_names.empty() && palette.color_names.size() != palette.colors.size())
    return fail(Errc::invalid,
                fmt::format("{} names for {} colours", palette.color_names.size(), palette.colors.size()));
  std::string out;
  switch (format) {
    case PaletteFormat::gpl:
      return encode_gpl(palette, alpha);
    case PaletteFormat::hex:
      for (Rgba c : palette.colors) out += hex(c) + "\n";
      return out;
    case PaletteFormat::jasc:
      out = fmt::format("JASC-PAL\r\n0100\r\n{}\r\n", palette.colors.size());
      for (Rgba c : palette.colors)
        out += alpha ? fmt::format("{} {} {} {}\r\n", c.r, c.g, c.b, c.a) : fmt::format("{} {} {}\r\n", c.r, c.g, c.b);
      return out;
    case PaletteFormat::act:
      if (palette.colors.size() > 256)
        return fail(Errc::invalid, fmt::format("an .act file holds 256 colours, not {}", palette.colors.size()));
      return encode_act(palette);
    case PaletteFormat::ase:
      if (alpha) return fail(Errc::invalid, "an .ase file holds opaque colours only", "write .gpl or .hex");
      return encode_ase(palette);
    case PaletteFormat::lospec: {
      Json json{{"name", palette.name}, {"author", palette.author}, {"colors", Json::array()}};
      for (Rgba c : palette.colors) json["colors"].push_back(hex(c));
      return json_text(json, 2) + "\n";
    }
    case PaletteFormat::png:
      break;
  }
  if (palette.colors.size() > size_t(Limits().side))
    return fail(Errc::invalid, fmt::format("a picture holds {} colours in a row", Limits().side));
  return encode_png(show(palette, 1, int(palette.colors.size())));
}

Result<PaletteFormat> palette_format_of(const std::filesystem::path& path) {
  static constexpr std::pair<std::string_view, PaletteFormat> kSuffixes[] = {
      {".gpl", PaletteFormat::gpl}, {".hex", PaletteFormat::hex}, {".pal", PaletteFormat::jasc},
      {".act", PaletteFormat::act}, {".ase", PaletteFormat::ase}, {".json", PaletteFormat::lospec},
      {".png", PaletteFormat::png}};
  auto suffix = lower(path.extension().string());
  for (auto& [known, format] : kSuffixes)
    if (suffix == known) return format;
  return fail(Errc::invalid, fmt::format("{}: no palette format has this suffix", path.string()),
              "end it in .gpl, .hex, .pal, .act, .ase, .json or .png");
}

Status write_palette(const std::filesystem::path& path, const Palette& palette) {
  SPARKY_ASSIGN(auto format, palette_format_of(path));
  SPARKY_ASSIGN(auto bytes, encode_palette(palette, format));
  return write_file_atomic(path, bytes);
}

}  // namespace sparky::pixel
