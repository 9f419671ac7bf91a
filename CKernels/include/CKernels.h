// CKernels: all arithmetic of Quasar, in C.
//
// One umbrella header. Every function that can refuse its arguments returns a qk_status; nothing here
// allocates, prints or exits. No intrinsics header is included, so the module imports cleanly into Swift.
#ifndef CKERNELS_H
#define CKERNELS_H

#include "ckernels/status.h"
#include "ckernels/parallel.h"
#include "ckernels/profile.h"
#include "ckernels/dispatch.h"
#include "ckernels/arithmetic.h"
#include "ckernels/pack.h"
#include "ckernels/integer.h"
#include "ckernels/datapath.h"
#include "ckernels/random.h"
#include "ckernels/training.h"
#include "ckernels/bfloat16.h"
#include "ckernels/gradient.h"
#include "ckernels/training_block.h"
#include "ckernels/training_patches.h"

#endif
