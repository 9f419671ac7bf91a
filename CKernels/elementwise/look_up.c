// Tables applied to codes.
#include "../dispatch/kernels.h"

void qk_look_up(size_t count, const int8_t *codes, const uint8_t table[256], uint8_t *out) {
  const qk_kernel_set set = qk_kernels(qk_isa_current());
  if (set.look_up) {
    set.look_up(count, codes, table, out);
    return;
  }
  for (size_t i = 0; i < count; i++) out[i] = table[codes[i] + 128];
}
