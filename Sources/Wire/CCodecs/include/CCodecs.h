#ifndef WEIR_CCodecs_H
#define WEIR_CCodecs_H
#endif
