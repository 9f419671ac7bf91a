// CPU features that the instruction sets and their kernels need.
#ifndef QK_FEATURES_H
#define QK_FEATURES_H

#include "ckernels/dispatch.h"

/// 1 when this CPU has every feature that the x86-64 set `isa` needs; 0 on other processors.
int qk_has_x86_features(qk_isa isa);

#endif
