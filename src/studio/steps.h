// Steps: what may be done to a picture one after another, as a clean job asks for it.
#pragma once
#include "studio/file_work.h"

namespace sparky::studio {

// A list of {"do": NAME, …}; the other fields are the options of `sparky pixel NAME`: snap, background, alpha, orphans,
// jaggies, outline, trim, pad, center, align, mirror, rotate, scale, quantize, remap. Errc::invalid names the field.
Result<Operation> parse_steps(const Json& steps);

}  // namespace sparky::studio
