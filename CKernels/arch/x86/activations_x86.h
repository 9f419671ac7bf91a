// Activations in the form that a product needs: code + 128 in bytes, or int16.
#ifndef QK_ACTIVATIONS_X86_H
#define QK_ACTIVATIONS_X86_H

#include <stdint.h>

/// Copies `depth` codes, signed ones as code + 128, and writes zeros up to `padded`.
void qk_shift_activations_avx2(const void *codes, int is_unsigned, int32_t depth, int32_t padded, void *out);
/// Widens `depth` codes to int16 and writes zeros up to `padded`.
void qk_widen_avx2(const void *codes, int is_unsigned, int32_t depth, int32_t padded, void *out);

#endif
