#ifndef WEIR_CEdit_H
#define WEIR_CEdit_H
#endif
