// What a warden does before anything else: settle what an earlier one left behind.
#pragma once
#include <filesystem>

#include "base/error.h"
#include "warden/spool.h"

namespace sparky::warden {

// Kills what remains of the attempts of a warden that died, records them as lost, and returns the spool, written and
// synced. The caller holds the directory's lock. Errors: unavailable (the spool is a newer version's), io, full.
Result<Spool> recover(const std::filesystem::path& directory);

}  // namespace sparky::warden
