#ifndef CKERNELS_STATUS_H
#define CKERNELS_STATUS_H

/// Result of a kernel's checks. For every status except QK_OK and QK_OUT_OF_MEMORY, no output was written.
typedef enum qk_status {
  QK_OK = 0,
  QK_NULL_POINTER,         ///< a required pointer is null
  QK_BAD_SIZE,             ///< a size is zero, negative, or inconsistent with another size
  QK_DEPTH_BEYOND_PROOF,   ///< K exceeds QK_MAX_DEPTH: the int32 accumulator is no longer proved
  QK_BIAS_OUT_OF_RANGE,    ///< a bias code is not below 2^30 in magnitude (2^62 for LayerNorm offsets)
  QK_BAD_REQUANTISER,      ///< M is neither 0 nor 16 bits, or S is not in 1…47
  QK_CODE_OUT_OF_RANGE,    ///< a code, a clamp bound or an epsilon is outside its stated range
  QK_BAD_SPEC,             ///< a spec, output form, number of bits or table that this build does not implement
  QK_ISA_NOT_AVAILABLE,    ///< the forced instruction set does not exist on this CPU
  QK_MISALIGNED,           ///< packed panels or prepared memory not 64-byte aligned, or codes not to their element
  QK_BUFFERS_OVERLAP,      ///< the output shares memory with an operand
  QK_OUT_OF_MEMORY         ///< no memory for work buffers; the only failure that may leave the output partly written
} qk_status;

/// One plain sentence per status; a static string, never null.
const char *qk_status_message(qk_status status);

#endif
