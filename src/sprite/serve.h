// The worker's side of the conversation in studio/sprite_process.h: requests in on one descriptor, events out.
#pragma once
#include "base/error.h"
#include "base/json.h"

namespace sparky::sprite {

Json error_event(const Error& error);  // without an id

// Until the input closes. Every failure of a request becomes an error event; only a broken output ends it early.
int serve(int in, int out);

}  // namespace sparky::sprite
