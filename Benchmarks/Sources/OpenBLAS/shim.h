// The rival of the float products.
#include <cblas.h>
