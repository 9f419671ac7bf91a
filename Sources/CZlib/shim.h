#ifndef QUASAR_CZLIB_SHIM_H
#define QUASAR_CZLIB_SHIM_H

#include <zlib.h>

#endif
