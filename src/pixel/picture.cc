#include "pixel/picture.h"
