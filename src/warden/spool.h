// The spool: the warden's own durable memory of what it may have started and how that ended (protocol.md: the records).
// Every record carries its length, a CRC-32 and a number; what does not check is skipped, and if anything valid follows
// it, the file was damaged and not just torn at its end.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/files.h"
#include "warden/attempt.h"

namespace sparky::warden {

struct Entry {
  enum class State : uint8_t { accepted, started, exited };
  State state = State::accepted;
  int64_t pid = 0;       // 0: not known (the warden died in the very moment of starting it)
  uint64_t boot_ms = 0;  // when it was started, on the clock that counts from the machine's boot
  Time started{};
  Exit exit;
};
using Entries = std::unordered_map<std::string, Entry>;

struct SpoolContents {
  std::string boot;      // the boot id of the machine's life in which it was written
  bool intact = false;   // false: attempts may have run of which it does not know
  bool newer = false;    // written by a newer version: hands off
  uint64_t records = 0;  // how many were good
  Entries entries;
};
// What a spool's bytes say; total, whatever the bytes.
SpoolContents parse_spool(std::string_view bytes);

std::string boot_id();     // of this life of the machine
uint64_t boot_clock_ms();  // milliseconds since its boot, suspended time included

// Beyond this it is written anew as soon as most of it is about what is forgotten.
inline constexpr uint64_t rewrite_from_bytes = 1u << 20;

// The file. Changes are gathered in memory; write() hands them to the system, and a sync of fd() makes them durable.
class Spool {
 public:
  explicit Spool(std::filesystem::path directory) : directory_(std::move(directory)) {}

  const Entries& entries() const { return entries_; }
  const Entry* find(const std::string& id) const;

  void accept(const std::string& id);
  void start(const std::string& id, Time at);
  void pid(const std::string& id, int64_t pid);
  void exit(const std::string& id, const Exit& exit);
  void forget(const std::string& id);
  void settle();  // a daemon has been told all that is in doubt: from here on the spool knows everything
  bool intact() const { return intact_; }

  // After an error nothing more is written until rewrite() succeeds.
  Status write();
  // A fresh, synced file with all that is held now, in the place of the old one.
  Status rewrite();
  void load(Entries entries, bool intact);  // then rewrite()

  bool broken() const { return broken_; }
  void distrust() { broken_ = true; }  // a sync has failed
  bool wants_rewrite() const;          // mostly forgotten records
  // Counts all changes ever made. What had been written when a sync of fd() began is durable when it ends.
  uint64_t position() const { return position_; }
  int fd() const { return fd_.get(); }

 private:
  void append(uint8_t type, std::string_view fields);
  std::string image(uint64_t& records) const;  // of the whole state

  std::filesystem::path directory_;
  Fd fd_;
  Entries entries_;
  std::string pending_;
  uint64_t number_ = 0;  // of the last record in the file
  uint64_t position_ = 0;
  uint64_t file_bytes_ = 0;
  bool intact_ = true;
  bool broken_ = false;
};

}  // namespace sparky::warden
