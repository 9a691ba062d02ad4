"""The only room that opens files of pixels: ENVI and GeoTIFF, through the GDAL that rasterio bundles."""

from pifnet_cli.raster.proj import drop_foreign_proj

drop_foreign_proj()  # before rasterio is imported, which reads these variables once
