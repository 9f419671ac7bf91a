// One sentence per status.
#include "ckernels/status.h"

const char *qk_status_message(qk_status status) {
  switch (status) {
    case QK_OK: return "ok";
    case QK_NULL_POINTER: return "a required pointer is null";
    case QK_BAD_SIZE: return "a size is zero, negative, or inconsistent with another size";
    case QK_DEPTH_BEYOND_PROOF:
      return "the depth of a product exceeds 32000, so the int32 accumulator could overflow";
    case QK_BIAS_OUT_OF_RANGE:
      return "a bias code is outside its proved range (2^30 in a GEMM, 2^62 in LayerNorm)";
    case QK_BAD_REQUANTISER:
      return "a requantiser has a multiplier that is neither 0 nor 16 bits, or a shift outside 1...47";
    case QK_CODE_OUT_OF_RANGE: return "a code or a clamp bound is outside its stated range";
    case QK_BAD_SPEC:
      return "a spec, output form, number of activation bits or exponent table that this build does not implement";
    case QK_ISA_NOT_AVAILABLE: return "the instruction set does not exist on this CPU";
    case QK_MISALIGNED: return "panels or prepared memory are not 64-byte aligned, or codes not to their element";
    case QK_BUFFERS_OVERLAP: return "the output shares memory with an operand";
    case QK_OUT_OF_MEMORY: return "no memory for the work buffers of a thread";
  }
  return "unknown status";
}
