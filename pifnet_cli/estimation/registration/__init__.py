"""The affine correction of a pair: rotation, scale and shear, from its georeferencing or from nothing."""
