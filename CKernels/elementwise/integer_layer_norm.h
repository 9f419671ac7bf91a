// Interface between the LayerNorm driver and its micro-kernels: one row.
#ifndef QK_INTEGER_LAYER_NORM_H
#define QK_INTEGER_LAYER_NORM_H

#include "ckernels/integer.h"

typedef struct qk_layer_norm_kernel {
  const char *name;
  /// Bytes of the scales and offsets in the kernel's form, made once per call; null when it needs nothing.
  size_t (*prepared_bytes)(const qk_layer_norm_arguments *arguments);
  void (*prepare)(const qk_layer_norm_arguments *arguments, void *prepared);
  /// Normalises the row that starts at `input` into `output`.
  void (*normalise_row)(const qk_layer_norm_arguments *arguments, const void *prepared, const int16_t *input,
                        int8_t *output);
} qk_layer_norm_kernel;

#endif
